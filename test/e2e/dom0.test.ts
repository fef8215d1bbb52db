import { readFileSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { hostFlags } from '../../tools/lib/copied-host.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';
import { until } from '../../tools/lib/until.ts';

let tree: TempTree;
beforeEach(() => {
  ({ tree } = copyOfHost('credit-storm'));
});
afterEach(() => tree[Symbol.dispose]());

const start = (...args: string[]): Promise<Daemon> =>
  startDaemon({
    args: [...hostFlags(tree.root), '--toolstack.interval=1', '--toolstack.timeout=1', ...args],
  });

const failing = async (daemon: Daemon): Promise<string[]> =>
  (await daemon.metrics())
    .samples('xen_exporter_collector_success')
    .filter(({ value }) => value === 0)
    .map(({ labels }) => labels['collector']!);

/** Whether each command has been run and parsed. */
const hasAll = async (daemon: Daemon): Promise<true | undefined> => {
  const page = await daemon.metrics();
  const all = ['domain_info', 'domain_vcpus', 'domain_memory_limit_bytes', 'host_cpus', 'pci_assignable_devices'];
  const isThere = (name: string) => page.samples(`xen_${name}`).length > 0;
  return [...all, 'domain_scheduler_weight'].every(isThere) || undefined;
};

const processes = (is: (process: string) => boolean): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && is(pid);
    } catch {
      return false;
    }
  });

/** The daemon's children: here only xl or the program that replaced it by exec, without xl's own children. */
const childrenOf = ({ pid }: Daemon): string[] =>
  processes((each) => new RegExp(`^PPid:\\s+${pid}$`, 'm').test(readFileSync(`/proc/${each}/status`, 'utf8')));

/** Processes with the path of this test's xl in their command line, with any parent. */
const withPathOfXl = (): string[] =>
  processes((each) => readFileSync(`/proc/${each}/cmdline`, 'latin1').includes(tree.path('bin/xl')));

/** Replaces xl. `mend` restores it. */
const breakXl = (body: string): { mend(): void } => {
  const good = readFileSync(tree.path('bin/xl'));
  tree.writeScript('bin/xl', `# ${tree.path('bin/xl')}\n${body}`);
  return { mend: () => void tree.write({ 'bin/xl': good }) };
};

test('a whole Dom0: everything that a guest’s host can say, under the guest’s name', async () => {
  await using daemon = await start();
  const page = await until('everything of xl', async () => ((await hasAll(daemon)) ? daemon.metrics() : undefined));
  expect(page.value('xen_domain_cpu_seconds_total', { domain: 'domu1' })).toBe(318.1);
  expect(page.value('xen_netback_ring_consumed_slots_total', { domain: 'domu1', ring: 'tx' })).toBe(8196);
  expect(page.value('xen_backend_events_total', { domain: 'domu1', class: 'vif' })).toBe(3711);
  expect(page.value('xen_vif_receive_packets_total', { domain: 'domu1' })).toBe(7206);
  const commands = (await daemon.metrics()).samples('xen_exporter_command_duration_seconds_count');
  expect(commands.map(({ labels }) => labels['command'])).toEqual(
    expect.arrayContaining([
      'xl list -v',
      'xl list -l',
      'xl vcpu-list',
      'xl info',
      'xl cpupool-list',
      'xl sched-credit',
    ]),
  );
  expect(await failing(daemon)).toEqual([]);
  const landing = (await daemon.get('/')).body;
  expect(landing).toMatch(
    /there is no xen-diag in \/.* \(with another --path\.procfs than \/proc only the folders of --path\.tools count\)/,
  );
  expect(landing).toContain('qdiscs: ');
});

describe('an xl that misbehaves costs its own collectors, and is no trouble once it is well', () => {
  const bodies: [what: string, body: string, message: RegExp][] = [
    ['sleeps for ever', 'exec sleep 300', /xl (?:list -v|vcpu-list): no end within 1 s/],
    ['ignores SIGTERM', 'trap "" TERM; while :; do sleep 1; done', /xl (?:list -v|vcpu-list): no end within 1 s/],
    [
      'prints 100 MB',
      'exec head -c 100000000 /dev/zero',
      /xl (?:list -v|vcpu-list): more than 8388608 bytes of output/,
    ],
    ['prints garbage', 'head -c 1000 /dev/urandom; echo', /xl (?:list -v|vcpu-list): expected /],
    [
      'fails',
      'echo "libxl: error: no xenstored" >&2; exit 1',
      /xl (?:list -v|vcpu-list): exit status 1: libxl: error: no xenstored/,
    ],
    [
      'complains and exits with 0',
      'echo "libxl: error: no xenstored" >&2',
      /xl (?:list -v|vcpu-list): expected .*, found no output \(it said: libxl: error: no xenstored\)/,
    ],
    [
      'prints half a table',
      `head -c 250 "${'${0%/*}'}/../commands/xl list -v"`,
      /xl (?:list -v|vcpu-list): expected lines that all end in a newline/,
    ],
    ['forks a child that keeps stdout open', 'sleep 300 & exit 0', /xl (?:list -v|vcpu-list): no end within 1 s/],
  ];

  test.each(bodies)('%s', { timeout: 60_000 }, async (_what, body, message) => {
    await using daemon = await start();
    await until('everything of xl', () => hasAll(daemon));
    const memory = async () => (await daemon.metrics()).value('process_resident_memory_bytes')!;
    const before = await memory();
    const { mend } = breakXl(body);
    const others = ['guest', 'listeners', 'interrupts', 'vif', 'netback', 'xenbus', 'vbd', 'uplink'];
    const failed = await until(
      'xl to fail',
      async () => {
        const names = await failing(daemon);
        return names.includes('domains') ? names : undefined;
      },
      { timeoutMs: 20_000 },
    );
    expect(failed.filter((name) => others.includes(name))).toEqual([]);
    // The log has only the first error, which on a busy machine may be the deadline. The landing page has the last one.
    await until('the error to be reported', async () =>
      [daemon.log(), (await daemon.get('/')).body].some((text) => message.test(text)),
    );
    // During two more runs of xl, known names remain valid whatever happens, and never more than one xl runs.
    const runsOfXl = (page: Exposition): number =>
      page.samples('xen_exporter_command_duration_seconds_count').reduce((runs, { value }) => runs + value, 0);
    const enough = runsOfXl(await daemon.metrics()) + 2;
    const sees = async () => {
      const page = await daemon.metrics();
      expect(page.value('xen_netback_ring_consumed_slots_total', { domain: 'domu1', ring: 'tx' })).toBe(8196);
      expect(childrenOf(daemon).length).toBeLessThanOrEqual(1);
      return runsOfXl(page) >= enough || undefined;
    };
    await until('xl to be run twice more', sees, { timeoutMs: 20_000 });
    expect(await memory()).toBeLessThan(before + 60e6);
    mend();
    await until('the recovery', async () => (await failing(daemon)).length === 0 || undefined, { timeoutMs: 20_000 });
    await until('everything of xl', () => hasAll(daemon));
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    await until('no process to be left', () => withPathOfXl().length === 0 || undefined);
  });
});
