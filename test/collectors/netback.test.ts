import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { netback } from '../../src/collectors/netback/netback.ts';
import { FileError } from '../../src/host/file-tree.ts';
import type { Host } from '../../src/host/host.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, collectFamilies, createCollector, runBackground, skippedBy } from '../../tools/lib/collect.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';
import { addStubDomain } from '../support/stub-domain.ts';

const ring = readText('hosts/credit-storm/sys/kernel/debug/xen-netback/vif1.0/io_ring_q0');
const vif = { domain: 'domu1', vif: '0' };

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-storm'));
});
afterEach(() => tree[Symbol.dispose]());

const start = async (options: Record<string, unknown> = {}, on: Host = host): Promise<Collector> => {
  const collector = createCollector(netback, on, options);
  await runBackground([collector]);
  return collector;
};

const ringFile = (queue: number, device = 'vif1.0') => `sys/kernel/debug/xen-netback/${device}/io_ring_q${queue}`;

/** A queue whose private indices are `tx`, `rx` and `pending`, and what the guest says it has produced. */
const queueAt = (at: { tx?: number; rx?: number; txProduced?: number; rxProduced?: number; pending?: number }) => {
  const { tx = 4194, rx = 4381 } = at;
  const { txProduced = tx, rxProduced = rx + 254, pending = tx + 245 } = at;
  return ring
    .replace('req prod 4194 (0) cons 4194', `req prod ${txProduced} (0) cons ${tx}`)
    .replace('pvt 4194', `pvt ${tx}`)
    .replace('pending prod 4439', `pending prod ${pending}`)
    .replace('req prod 4635 (254) cons 4381', `req prod ${rxProduced} (254) cons ${rx}`)
    .replace('pvt 4381', `pvt ${rx}`);
};

const consumed = async (collector: Collector) => {
  const page = await collect(collector, host);
  return ['tx', 'rx'].map((name) => page.value('xen_netback_ring_consumed_slots_total', { ...vif, ring: name }));
};

describe('each queue, or one series for each vif', () => {
  test('each: queues side by side, threads by name', async () => {
    const page = await collect(await start({ queues: 'each' }), host);
    const ofQueues = (name: string, labels: Record<string, string>) =>
      ['0', '1'].map((queue) => page.value(name, { ...vif, queue, ...labels }));
    expect(ofQueues('xen_netback_ring_consumed_slots_total', { ring: 'rx' })).toEqual([4381, 4600]);
    const cpu = ofQueues('xen_netback_thread_cpu_seconds_total', { thread: 'dealloc' });
    expect(cpu).toEqual([expect.closeTo(0.121578405, 9), expect.closeTo(0.143920463, 9)]);
    expect(page.value('xen_netback_cpu_seconds_total', vif)).toBeCloseTo(4.207235433, 9);
  });

  test('vif: slots are summed, threads are the busiest in each interval', async () => {
    const collector = await start();
    const guestRx = async () =>
      (await collect(collector, host)).value('xen_netback_thread_cpu_seconds_total', { ...vif, thread: 'guest-rx' })!;
    const first = await guestRx();
    tree.write({
      'proc/400/schedstat': '2913878851 2922686265 3800\n',
      'proc/402/schedstat': '2127857714 3272005846 4000\n',
    });
    expect((await guestRx()) - first).toBeCloseTo(1, 9);
    tree.write({ 'proc/402/schedstat': '5127857714 3272005846 4000\n' });
    expect((await guestRx()) - first).toBeCloseTo(1 + 3, 9);
  });
});

test('the dealloc thread is read while it has work, and once more after that', async () => {
  const collector = await start({ queues: 'each' });
  const dealloc = { ...vif, queue: '0', thread: 'dealloc' };
  const cpu = async () => (await collect(collector, host)).value('xen_netback_thread_cpu_seconds_total', dealloc);
  const ran = (seconds: number): void => void tree.write({ 'proc/401/schedstat': `${seconds}000000000 0 1\n` });
  const given = (pages: number): void => {
    tree.write({ [ringFile(0)]: ring.replace('dealloc prod 52', `dealloc prod ${pages}`) });
  };
  await cpu();
  const seen: (number | undefined)[] = [];
  for (const [pages, seconds] of [
    [53, 1],
    [53, 2],
    // A thread that has no work does not run: nobody looks.
    [53, 3],
    [54, 4],
    [54, 5],
  ] as const) {
    given(pages);
    ran(seconds);
    seen.push(await cpu());
  }
  expect(seen).toEqual([1, 2, 2, 4, 5]);
});

describe('rings come and go', () => {
  test('a ring that vanishes takes its gauges along, and costs the others nothing', async () => {
    const collector = await start();
    await consumed(collector);
    rmSync(tree.path(ringFile(0)));
    rmSync(tree.path(ringFile(1)));
    host.clock.advance(15);
    const page = await collect(collector, host);
    expect(page.value('xen_netback_rx_free_slots', vif)).toBeUndefined();
    expect(page.value('xen_netback_rx_free_slots', { domain: 'domu2', vif: '0' })).toBe(256);
  });

  test('a frontend that reconnects begins anew: nothing goes down, nothing jumps, wherever its indices were', async () => {
    const collector = await start();
    for (const [queue, high] of [4_000_000_000, 100].entries()) {
      tree.write({ [ringFile(queue)]: queueAt({ tx: high, rx: high, pending: (high + 256) % 2 ** 32 }) });
    }
    const before = await consumed(collector);
    for (const queue of [0, 1]) tree.write({ [ringFile(queue)]: queueAt({ tx: 30, rx: 40, pending: 286 }) });
    const after = await consumed(collector);
    expect(after.map((value, i) => value! - before[i]!)).toEqual([30 + 30, 40 + 40]);
  });

  test('an index that wraps goes on', async () => {
    const collector = await start();
    tree.write({ [ringFile(0)]: queueAt({ tx: 2 ** 32 - 10, rx: 5000, pending: 246 }) });
    const before = await consumed(collector);
    tree.write({ [ringFile(0)]: queueAt({ tx: 20, rx: 5100, pending: 276 }) });
    const after = await consumed(collector);
    expect(after.map((value, i) => value! - before[i]!)).toEqual([30, 100]);
  });

  test('new threads of a queue are found, also when their name is cut to 15 characters', async () => {
    const collector = await start({ queues: 'each' });
    const thread = { ...vif, queue: '0', thread: 'guest-rx' };
    const seconds = async () => (await collect(collector, host)).value('xen_netback_thread_cpu_seconds_total', thread);
    const before = (await seconds())!;
    rmSync(tree.path('proc/400'), { recursive: true });
    const cut = '9400 (vif1.0-q0-guest) S 2 0 0 0 -1 2129984 0 0 0 0 0 191 0 0 20 0 1 0 7261 0\n';
    tree.write({ 'proc/9400/stat': cut, 'proc/9400/schedstat': '7000000000 1 1\n' });
    // Not so: a process that only calls itself so.
    tree.write({
      'proc/9401/stat': cut.replace('9400', '9401').replace('S 2', 'S 1'),
      'proc/9401/schedstat': '9 9 9\n',
    });
    await collect(collector, host);
    expect(await seconds()).toBeCloseTo(before + 7, 9);
  });
});

test('a vif with a name of its own (vifname): its device, rings and threads are found under it', async () => {
  renameSync(tree.path('sys/class/net/vif1.0'), tree.path('sys/class/net/web-0'));
  rmSync(tree.path('sys/bus/xen-backend/devices/vif-1-0/net'), { recursive: true });
  tree.write({ 'sys/bus/xen-backend/devices/vif-1-0/net/web-0/ifindex': '4\n' });
  renameSync(tree.path('sys/kernel/debug/xen-netback/vif1.0'), tree.path('sys/kernel/debug/xen-netback/web-0'));
  const stat = '400 (web-0-q0-guest-rx) S 2 0 0 0 -1 2129984 0 0 0 0 0 191 0 0 20 0 1 0 7261 0\n';
  tree.write({ 'proc/400/stat': stat });
  const page = await collect(await start({ queues: 'each' }), host);
  expect(page.value('xen_netback_ring_consumed_slots_total', { ...vif, queue: '0', ring: 'tx' })).toBe(4194);
  const thread = { ...vif, queue: '0', thread: 'guest-rx' };
  expect(page.value('xen_netback_thread_cpu_seconds_total', thread)).toBeCloseTo(1.913878851, 9);
});

describe('pressure is integrated over time', () => {
  const seconds = async (collector: Collector, labels: Record<string, string> = {}) => {
    const page = await collect(collector, host);
    return ['rx_empty', 'tx_waiting', 'guest_queue_full', 'rate_limited'].map((name) =>
      page.value(`xen_netback_${name}_seconds_total`, { ...vif, ...labels }),
    );
  };
  const pressed = queueAt({ txProduced: 4200, rxProduced: 4381 })
    .replace('timer_pending: 0', 'timer_pending: 1')
    .replace('running', 'stopped');

  test('of the worst queue, and of each', async () => {
    const collectors = [await start(), await start({ queues: 'each' })];
    const sample = (seconds: number): boolean[] => {
      host.clock.advance(seconds);
      return collectors.map(({ sampler }) => sampler!.sample(seconds));
    };
    expect(sample(1)).toEqual([false, false]);
    tree.write({ [ringFile(0)]: pressed });
    // While nothing presses, a sample stands for a second or more; then it is one of many at the full rate.
    expect(sample(1)).toEqual([true, true]);
    sample(0.7);
    tree.write({ [ringFile(0)]: ring, [ringFile(1)]: pressed });
    sample(0.5);
    const [worst, each] = collectors;
    const near = (value: number) => Array.from({ length: 4 }, () => expect.closeTo(value, 9));
    expect(await seconds(worst!)).toEqual(near(1 + 0.7 + 0.5));
    expect(await seconds(each!, { queue: '0' })).toEqual(near(1 + 0.7));
    expect(await seconds(each!, { queue: '1' })).toEqual(near(0.5));
  });

  test('of rare samples, between which it is scraped', async () => {
    const collector = await start();
    tree.write({ [ringFile(0)]: pressed });
    for (let i = 0; i < 12; i += 1) {
      if (i % 4 === 0) collector.sampler!.sample(20);
      await collect(collector, host);
      host.clock.advance(5);
    }
    expect(await seconds(collector)).toEqual([60, 60, 60, 60]);
  });

  test('time in which a vif could not be read stands for nothing', async () => {
    const collector = await start();
    tree.write({ [ringFile(0)]: pressed, [ringFile(1)]: pressed });
    collector.sampler!.sample(1);
    for (const queue of [0, 1]) rmSync(tree.path(ringFile(queue)));
    host.clock.advance(100);
    expect(collector.sampler!.sample(100)).toBe(false);
    tree.write({ [ringFile(0)]: pressed, [ringFile(1)]: pressed });
    host.clock.advance(6);
    collector.sampler!.sample(5);
    expect(await seconds(collector)).toEqual([6, 6, 6, 6]);
  });
});

describe('a hostile guest', () => {
  test('an index that cannot be is counted, and its gauges are left out', async () => {
    tree.write({ [ringFile(0)]: queueAt({ txProduced: 4194 + 300, rxProduced: 12 }) });
    rmSync(tree.path(ringFile(1)));
    const page = await collect(await start(), host);
    expect(page.value('xen_netback_invalid_rings_total', { domain: 'domu1' })).toBe(2);
    expect(page.value('xen_netback_tx_unconsumed_slots', vif)).toBeUndefined();
    expect(page.value('xen_netback_rx_free_slots', vif)).toBeUndefined();
    expect(page.value('xen_netback_ring_consumed_slots_total', { ...vif, ring: 'tx' })).toBe(4194);
    expect(page.value('xen_netback_invalid_rings_total', { domain: 'domu2' })).toBe(0);
  });

  test('2 000 rings with indices at random: no crash, no value out of range, no series more or less of others', async () => {
    const collector = await start({ queues: 'each' });
    const names = new Set(collectFamilies(collector, host).map(({ descriptor }) => descriptor.name));
    const u32 = fc.nat({ max: 2 ** 32 - 1 });
    const index = fc.oneof(u32, fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 4194, 4381));
    const rings = fc.sample(fc.record({ txProduced: index, rxProduced: index }), 2000);
    for (const guest of rings) {
      tree.write({ [ringFile(0)]: queueAt(guest) });
      for (const { descriptor, samples } of collectFamilies(collector, host)) {
        expect(names).toContain(descriptor.name);
        for (const { value, sharedLabels } of samples) {
          if (!(value >= 0 && Number.isFinite(value))) expect([descriptor.name, value]).toEqual('a number');
          if (descriptor.name.endsWith('_slots') && value > 256) expect([descriptor.name, value]).toEqual('a ring');
          const { domain } = sharedLabels as Record<string, string>;
          if (!['domu1', 'domu2', 'pvh1'].includes(domain!)) expect(domain).toEqual('a guest of this host');
        }
      }
    }
    const series = collectFamilies(collector, host).flatMap(({ samples }) => samples);
    expect(series.length).toBeLessThan(120);
  });
});

describe('what is hidden is not failed', () => {
  const forbidding = (hides: (path: string) => boolean): Host => ({
    ...host,
    debugfs: host.debugfs.with((path) => {
      if (hides(path)) throw new FileError(path, 'EPERM', 'EPERM: operation not permitted');
    }),
  });

  test('kernel lockdown hides the rings and not the threads, and it says so', async () => {
    tree.write({ 'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' });
    const locked = forbidding((path) => path.includes('io_ring'));
    const collector = await start({}, locked);
    const page = await collect(collector, locked);
    expect(page.samples('xen_netback_rx_free_slots')).toEqual([]);
    expect(page.value('xen_netback_cpu_seconds_total', vif)).toBeCloseTo(4.207235433, 9);
    expect(collector.limitations!()).toMatch(
      /^rings: .*io_ring_q0: EPERM: operation not permitted \(kernel lockdown is "integrity"\)$/,
    );
    expect(() => collector.sampler!.sample(1)).not.toThrow();
  });

  test('without root debugfs cannot even be listed: queues come from sysfs', async () => {
    const unprivileged = forbidding(() => true);
    const page = await collect(await start({}, unprivileged), unprivileged);
    expect(page.value('xen_netback_cpu_seconds_total', vif)).toBeCloseTo(4.207235433, 9);
  });

  test('debugfs that is not mounted', async () => {
    rmSync(tree.path('sys/kernel/debug'), { recursive: true });
    const collector = await start();
    await collect(collector, host);
    expect(collector.limitations!()).toBe(
      `rings: ${tree.path('sys/kernel/debug/xen-netback')} does not exist (is debugfs mounted?)`,
    );
  });
});

test('in a driver domain, which cannot read names, the domid is the label', async () => {
  tree.write({ 'proc/xen/capabilities': '', 'sys/hypervisor/properties/features': '000220f0\n' });
  const page = await collect(await start(), host);
  expect(page.value('xen_netback_ring_consumed_slots_total', { domain: 'domid:1', vif: '0', ring: 'tx' })).toBe(8196);
});

test("a stub domain's queues count for its guest", async () => {
  addStubDomain(tree);
  const page = await collect(await start(), host);
  // vif2.0: tx cons 405, rx cons 315
  expect(page.value('xen_netback_ring_consumed_slots_total', { ...vif, ring: 'tx' })).toBe(8196 + 405);
  expect(page.value('xen_netback_rx_free_slots', vif)).toBe(253);
  expect(page.samples('xen_netback_rx_free_slots').map(({ labels }) => labels['domain'])).toEqual(['domu1', 'pvh1']);
});

test('a guest that reboots gets a new domid, and its counters go on under its name', async () => {
  const collector = createCollector(netback, host);
  await runBackground([collector]);
  const [before] = await consumed(collector);
  const devices = 'sys/bus/xen-backend/devices';
  rmSync(tree.path(`${devices}/vif-1-0`), { recursive: true });
  cpSync(tree.path(`${devices}/vif-3-0`), tree.path(`${devices}/vif-9-0`), { recursive: true, verbatimSymlinks: true });
  renameSync(tree.path('sys/class/net/vif1.0'), tree.path('sys/class/net/vif9.0'));
  renameSync(tree.path('sys/kernel/debug/xen-netback/vif1.0'), tree.path('sys/kernel/debug/xen-netback/vif9.0'));
  tree.write({
    [ringFile(0, 'vif9.0')]: queueAt({ tx: 7, rx: 9, pending: 263 }),
    [ringFile(1, 'vif9.0')]: queueAt({ tx: 0, rx: 0, pending: 256 }),
    'commands/xl list -v': readText('hosts/credit-storm/commands/xl list -v').replace(/^(domu1 +)1 /m, '$19 '),
  });
  host.clock.advance(15);
  await runBackground([collector]);
  const [after] = await consumed(collector);
  expect(after! - before!).toBe(7);
});

describe('what cannot be read costs its own series only', () => {
  /** Nothing can read a folder as a file. */
  const breakFile = (name: string): void => {
    rmSync(tree.path(name), { recursive: true, force: true });
    mkdirSync(tree.path(name), { recursive: true });
  };
  const countSeries = async (collector: Collector): Promise<number> => {
    const page = await collect(collector, host);
    return [...page.families.keys()].reduce((sum, name) => sum + page.samples(name).length, 0);
  };

  test('processes that may not be looked at', async () => {
    const all = await countSeries(await start());
    for (const pid of ['99991', '99992']) breakFile(`proc/${pid}/stat`);
    expect(await countSeries(await start())).toBe(all);
  });

  test('processes that end while they are looked at are no reason to report any', async () => {
    const refuse = (path: string): void => {
      if (/\/9999\d\/stat$/.test(path)) throw new FileError(path, 'ESRCH', 'ESRCH: no such process');
    };
    tree.write({ 'proc/99991/stat': '' });
    const on: Host = { ...host, procfs: host.procfs.with(refuse) };
    const collector = await start({}, on);
    await collect(collector, on);
    expect(skippedBy(collector)).toBeUndefined();
  });

  test('threads that procfs hides altogether (hidepid=2): counted for each connected queue', async () => {
    for (const { name } of host.procfs.folders('.')) if (/^\d+$/.test(name)) breakFile(`proc/${name}`);
    tree.write({ 'sys/class/net/vif3.0/carrier': '0\n' });
    const collector = await start();
    const page = await collect(collector, host);
    expect(page.samples('xen_netback_thread_cpu_seconds_total')).toEqual([]);
    expect(page.samples('xen_netback_ring_slots').length).toBeGreaterThan(0);
    const queues = ['vif1.0', 'vif2.0'].flatMap((name) => host.sysfs.list(`kernel/debug/xen-netback/${name}`));
    expect(skippedBy(collector)).toMatchObject({
      items: queues.filter((name) => name.startsWith('io_ring_q')).length,
      first: { message: expect.stringContaining('found none (hidepid= of proc(5) hides processes)') as unknown },
    });
  });

  test('a ring of one queue, and the times of one thread', async () => {
    const each = await start({ queues: 'each' });
    const all = await countSeries(each);
    breakFile(ringFile(0));
    const page = await collect(await start({ queues: 'each' }), host);
    const slots = page.samples('xen_netback_ring_consumed_slots_total').map(({ labels }) => labels);
    expect(slots).not.toContainEqual({ ...vif, queue: '0', ring: 'rx' });
    expect(slots).toContainEqual({ ...vif, queue: '1', ring: 'rx' });
    expect(await countSeries(each)).toBeGreaterThan(all / 2);
  });
});
