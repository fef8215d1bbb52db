import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { scheduler } from '../../src/collectors/scheduler.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, runBackground } from '../../tools/lib/collect.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';

const list = readText('hosts/credit-storm/commands/xl list -v');

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
let collector: Collector;
beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-storm'));
  collector = createCollector(scheduler, host);
});
afterEach(() => tree[Symbol.dispose]());

/** Series by metric, as label values and value. */
const series = async (): Promise<Record<string, unknown[]>> => {
  const page = await collect(collector, host);
  const names = scheduler.metrics.map(({ name }) => name).filter((name) => page.families.has(name));
  return Object.fromEntries(
    names.map((name) => [name, page.samples(name).map(({ labels, value }) => [...Object.values(labels), value])]),
  );
};

const weights = async (): Promise<unknown[] | undefined> => (await series())['xen_domain_scheduler_weight'];

test('two cpupools with a scheduler each: parameters by pool, caps only where there are any', async () => {
  // The host of credit-two-pools, with the weight and cap of credit-caps: each scheduler lists its own pool's domains.
  const ofCredit2 = readText('xl/credit2-two-pools.xl-sched-credit2');
  tree.write({
    'commands/xl cpupool-list': readText('xl/credit-two-pools.xl-cpupool-list'),
    'commands/xl sched-credit': readText('xl/credit-caps.xl-sched-credit').replace(/^domu2 .*\n/m, ''),
    'commands/xl sched-credit2': ofCredit2.slice(ofCredit2.indexOf('Cpupool pool1')),
  });
  expect(await runBackground([collector])).toEqual([]);
  expect(await series()).toEqual({
    xen_scheduler_info: [
      ['Pool-0', 'credit', 1],
      ['pool1', 'credit2', 1],
    ],
    xen_cpupool_cpus: [
      ['Pool-0', 3],
      ['pool1', 1],
    ],
    xen_scheduler_timeslice_seconds: [['Pool-0', 0.03]],
    xen_scheduler_ratelimit_seconds: [
      ['Pool-0', 0.001],
      ['pool1', 0.001],
    ],
    xen_scheduler_migration_delay_seconds: [['Pool-0', 0]],
    xen_domain_scheduler_weight: [
      ['Domain-0', 512],
      ['domu1', 256],
      ['pvh1', 256],
      ['domu2', 256],
    ],
    xen_domain_scheduler_cap_cpus: [['domu1', 0.1]],
  });
});

test('a domain that moves to another pool while xl is asked is in both, and has one series', async () => {
  const ofCredit2 = readText('xl/credit2-two-pools.xl-sched-credit2');
  tree.write({
    'commands/xl cpupool-list': readText('xl/credit-two-pools.xl-cpupool-list'),
    'commands/xl sched-credit2': ofCredit2.slice(ofCredit2.indexOf('Cpupool pool1')),
  });
  await runBackground([collector]);
  expect((await weights())!.map((row) => (row as unknown[])[0])).toEqual(['Domain-0', 'domu1', 'domu2', 'pvh1']);
});

describe('names are those of the list', () => {
  test('Dom0 may be called otherwise', async () => {
    tree.write({ 'commands/xl list -v': list.replace('Domain-0 ', 'host zero') });
    await runBackground([collector]);
    expect(await weights()).toEqual([
      ['host zero', 256],
      ['domu1', 256],
      ['domu2', 256],
      ['pvh1', 256],
    ]);
  });

  test('a domain that is not on it has no series', async () => {
    tree.write({ 'commands/xl list -v': list.replace(/^domu2 .*\n/m, '') });
    await runBackground([collector]);
    expect(await weights()).toEqual([
      ['Domain-0', 256],
      ['domu1', 256],
      ['pvh1', 256],
    ]);
  });

  test('without a list pools alone have series', async () => {
    await collector.background![0]!.run();
    expect(Object.keys(await series())).toEqual([
      'xen_scheduler_info',
      'xen_cpupool_cpus',
      'xen_scheduler_timeslice_seconds',
      'xen_scheduler_ratelimit_seconds',
      'xen_scheduler_migration_delay_seconds',
    ]);
  });
});

describe('what was read serves for three periods of the schedule', () => {
  beforeEach(async () => void (await runBackground([collector])));

  test('then there are no series', async () => {
    host.clock.advance(900);
    expect(await weights()).toHaveLength(4);
    host.clock.advance(1);
    expect(await series()).toEqual({});
  });

  test('also while xl fails, until it does not', async () => {
    host.clock.advance(600);
    const printed = readText('hosts/credit-storm/commands/xl cpupool-list');
    tree.write({ 'commands/xl cpupool-list': '' });
    expect((await runBackground([collector])).map(({ message }) => message)).toEqual([
      `${tree.path('bin/xl')} cpupool-list: expected lines that all end in a newline, found no output`,
    ]);
    expect(await weights()).toHaveLength(4);
    host.clock.advance(301);
    expect(await series()).toEqual({});
    tree.write({ 'commands/xl cpupool-list': printed });
    await runBackground([collector]);
    expect(await weights()).toHaveLength(4);
  });
});
