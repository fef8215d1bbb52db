import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { hostFlags } from '../../tools/lib/copied-host.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';
import { promtoolCheckMetrics } from '../../tools/lib/prometheus.ts';
import { until } from '../../tools/lib/until.ts';

const fixtures = resolve(import.meta.dirname, '../fixtures');

let tree: TempTree;
beforeEach(() => {
  ({ tree } = copyOfHost('credit-storm'));
  copyFileSync(resolve(fixtures, 'xl/credit-storm.lsevtchn-0'), tree.path('channels'));
  program('lsevtchn', `cat ${tree.path('channels')}`);
});
afterEach(() => tree[Symbol.dispose]());

const program = (name: string, body: string): string => tree.writeScript(`bin/${name}`, body);

const trace = resolve(fixtures, 'xentrace/credit-storm.xt');
/**
 * An xentrace that writes a trace captured on a real host to the given file and runs until asked to end, which it logs.
 */
const goesOn = (): string => `echo $$ "$@" >>${tree.path('log')}
trap 'echo ended >>${tree.path('log')}; exit 0' TERM
for out; do :; done
cat ${trace} >$out
while :; do sleep 0.05; done`;

const log = (): string => (existsSync(tree.path('log')) ? readFileSync(tree.path('log'), 'utf8') : '');

const start = (...args: string[]): Promise<Daemon> =>
  startDaemon({
    args: [...hostFlags(tree.root), '--collector.runstate', ...args],
  });

test('a window of a real trace is on the page', async () => {
  program('xentrace', `for out; do :; done; cat ${trace} >$out`);
  await using daemon = await start();
  const page = await until('the first window', async () => {
    const each = await daemon.metrics();
    return (
      each.value('xen_domain_runstate_seconds_total', { domain: 'domu1', state: 'runnable' }) !== undefined && each
    );
  });
  const share =
    page.value('xen_domain_runstate_seconds_total', { domain: 'domu1', state: 'runnable' })! /
    page.value('xen_exporter_xentrace_armed_seconds_total', {})!;
  expect(share).toBeCloseTo(4 / 3, 2);
  expect(page.value('xen_exporter_command_duration_seconds_count', { command: 'xentrace' })).toBe(1);
  expect(page.value('xen_exporter_collector_success', { collector: 'runstate' })).toBe(1);
  const checked = await promtoolCheckMetrics((await daemon.get('/metrics?collect[]=runstate')).body);
  expect(checked).toEqual({ status: 0, output: '' });
});

test('SIGTERM in the middle of a window asks xentrace to end, which turns tracing off', async () => {
  program('xentrace', goesOn());
  const daemon = await start();
  await until('the window', () => log() !== '');
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(log()).toMatch(/^\d+ -D -e 0x00021000 -T 3 \/dev\/stdout\nended\n$/);
});

test('after kill -9 the next start begins with a window, which ends by itself and so turns tracing off', async () => {
  program('xentrace', goesOn());
  const killed = await start();
  await until('the window', () => log() !== '');
  await killed.stop('SIGKILL');
  const orphan = Number(log().split(' ')[0]);
  process.kill(orphan, 'SIGKILL');
  program('xentrace', `for out; do :; done; cat ${trace} >$out; echo complete >>${tree.path('log')}`);
  await using daemon = await start('--xentrace.interval=3600');
  await until('the first window', () => log().endsWith('complete\n'));
  expect((await daemon.metrics()).value('xen_exporter_collector_available', { collector: 'runstate' })).toBe(1);
});

test('a xentrace that may not trace makes the collector absent, not failed', async () => {
  program(
    'xentrace',
    'echo "change evtmask to 0x21000" >&2; echo "ERROR: Failure to get trace buffer pointer from Xen and set the new mask (38 = Function not implemented)" >&2; exit 1',
  );
  await using daemon = await start();
  const about = { collector: 'runstate' };
  const page = await until('the attempt', async () => {
    const each = await daemon.metrics();
    return each.value('xen_exporter_collector_available', about) === 0 && each;
  });
  expect(page.value('xen_exporter_collector_success', about)).toBe(1);
  expect((await daemon.get('/')).body).toContain('this Xen is built without a trace buffer');
  expect(daemon.log()).not.toContain('Collector failed');
});
