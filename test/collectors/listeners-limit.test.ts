import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { listeners } from '../../src/collectors/listeners/listeners.ts';
import { netlinkSource } from '../../src/collectors/listeners/netlink-source.ts';
import { uncounted } from '../../src/sources/parsed.ts';
import { tcp } from '../../src/collectors/tcp.ts';
import { collect, collectFamilies, createCollector } from '../../tools/lib/collect.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { namespacesOf } from '../../tools/lib/sources.ts';
import { Machine, type GeneratedListener } from '../support/machine.ts';

const limit = 12_000;
// Series of one listener, with sampler.
const seriesEach = 19;

let machine: Machine;
beforeEach(() => void (machine = new Machine()));
afterEach(() => machine[Symbol.dispose]());

const many = (count: number, parts: Partial<GeneratedListener> = {}, firstId = 100): GeneratedListener[] =>
  Array.from({ length: count }, (_, i) => ({ port: 10_000 + i, id: firstId + i, ...parts }));

const collector = (options: Record<string, unknown> = {}): Collector =>
  createCollector(listeners, machine.host, options);

/** The ports below 1000 that have all their series, by namespace. */
const real = (page: Exposition): string[] => {
  const names = page
    .samples('xen_listener_accept_queue_fill_ratio_count')
    .filter(({ labels }) => Number(labels['port']) < 1000)
    .map(({ labels }) => `${labels['netns']}:${labels['port']}`);
  return names.sort();
};
const leftOut = (page: Exposition): [string, number][] =>
  page.samples('xen_exporter_listeners_left_out').map(({ labels, value }) => [labels['netns']!, value]);
const total = (page: Exposition): number => page.samples('xen_listener_sockets').length;

describe('a user who listens on thousands of ports', () => {
  const victim: GeneratedListener = { port: 80, id: 50 };

  test.each<[string, Partial<GeneratedListener>]>([
    ['on the loopback', { loopback: 1 }],
    ['on all addresses', { uid: 1000 }],
    ['whose queues are full', { uid: 1000, queueLength: 6, drops: 7 }],
  ])('%s: the real listener has its series, whoever came first', async (_, parts) => {
    for (const [id, order] of [
      [50, [victim, ...many(3000, parts)]],
      [90_000, [...many(3000, parts), { ...victim, id: 90_000 }]],
    ] as const) {
      machine.listeners.set(1, order);
      const page = await collect(collector(), machine.host, limit);
      expect(real(page), String(id)).toEqual([':80']);
      expect(total(page)).toBe(Math.floor((limit - 1) / seriesEach));
      expect(leftOut(page)).toEqual([['', 3001 - total(page)]]);
      expect(page.value('xen_exporter_listener_source', { source: 'netlink' })).toBe(1);
    }
  });

  test('of the same user and as reachable, an older one and one that has drops have their series', async () => {
    const old = { ...victim, port: 443 };
    const busy = { ...victim, id: 90_000, drops: 1 };
    machine.listeners.set(1, [...many(3000), old, busy]);
    expect(real(await collect(collector(), machine.host, limit))).toEqual([':443', ':80']);
  });

  test('a user without so many loses none, and all that is left goes to the other', async () => {
    const servers = Array.from({ length: 200 }, (_, i) => ({ port: 1 + i, id: 90_000 + i }));
    machine.listeners.set(1, [...many(3000, { uid: 1000, drops: 1 }), ...servers]);
    const page = await collect(collector(), machine.host, limit);
    expect(real(page)).toHaveLength(200);
    expect(total(page)).toBe(631);
  });

  test('subordinate uids do not multiply the share', async () => {
    const servers = Array.from({ length: 200 }, (_, i) => ({ port: 1 + i, id: 90_000 + i }));
    const attack = many(3000).map((each, i) => ({ ...each, uid: 100_000 + i }));
    machine.listeners.set(1, [...attack, ...servers]);
    expect(real(await collect(collector(), machine.host, limit))).toHaveLength(200);
  });

  test('the same listeners have series in each scrape, though queues fill and empty', async () => {
    const attack = many(3000, { uid: 1000 });
    const queues = collector();
    const exported = new Set<string>();
    for (let scrape = 0; scrape < 5; scrape += 1) {
      const queueLength = (i: number): number => (i % 5 === scrape && scrape < 2 ? 1 : 0);
      machine.listeners.set(1, [victim, ...attack.map((each, i) => ({ ...each, queueLength: queueLength(i) }))]);
      const page = await collect(queues, machine.host, limit);
      if (scrape >= 2) page.samples('xen_listener_sockets').forEach(({ labels }) => exported.add(labels['port']!));
    }
    expect(exported.size).toBe(631);
  });

  test('what is left out counts as dropped, and the landing page says whose it is', async () => {
    machine.listeners.set(1, [victim, ...many(3000, { uid: 1000 })]);
    const queues = collector();
    await collect(queues, machine.host, limit);
    expect(queues.limitations!()).toBe(
      '2370 of 3001 listeners: more series than --collector.max-series allows; 2370 are of user 1000',
    );
    machine.listeners.set(1, [victim]);
    await collect(queues, machine.host, limit);
    expect(queues.limitations!()).toBeUndefined();
  });

  test('of hundreds of thousands of sockets only some are followed, those of others are', async () => {
    const source = netlinkSource();
    machine.listeners.set(1, [
      ...many(20_000, { uid: 1000 }),
      ...many(20_000, { uid: 1001, loopback: 1 }, 50_000),
      victim,
    ]);
    const followed = () => source.read(machine.host, uncounted).map(({ uid }) => uid!);
    // The first reading does not know yet how many there are.
    expect(followed()).toHaveLength(2 * 8192 + 1);
    const uids = followed();
    expect([0, 1000, 1001].map((uid) => uids.filter((each) => each === uid).length)).toEqual([1, 4095, 4095]);
    expect(source.leftOut!()).toBe(2 * (20_000 - 4095));
    const queues = collector();
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const page = await collect(queues, machine.host, limit);
      expect(real(page)).toEqual([':80']);
      expect(leftOut(page)).toEqual([['', 40_001 - total(page)]]);
    }
    machine.listeners.set(1, [victim]);
    expect([followed(), source.leftOut!()]).toEqual([[0], 0]);
  });

  test('with include those that match are followed, however many others there are', async () => {
    machine.listeners.set(1, [...many(20_000), { ...victim, id: 90_000, loopback: 1 }]);
    expect(real(await collect(collector({ include: /^127\.0\.0\.1:80$/ }), machine.host, limit))).toEqual([':80']);
  });

  test('with include only those that match are candidates', async () => {
    machine.listeners.set(1, [...many(3000, { drops: 9 }), { ...victim, id: 90_000, loopback: 1 }]);
    expect(real(await collect(collector(), machine.host, limit))).toEqual([]);
    expect(real(await collect(collector({ include: /^127\.0\.0\.1:80$/ }), machine.host, limit))).toEqual([':80']);
  });

  test.each([20, 0])('every series that there is room for is used, with %d samples a second', async (hertz) => {
    machine.listeners.set(1, many(30));
    const page = async (maxSeries?: number) =>
      collectFamilies(collector({ 'sampler-hertz': hertz }), machine.host, maxSeries);
    const count = async (maxSeries?: number) =>
      (await page(maxSeries)).reduce((sum, { samples }) => sum + samples.length, 0);
    const all = await count();
    // The last series is the exporter's own, which has room beyond the limit.
    expect([await count(all - 1), await count(all - 2)]).toEqual([all, all - (all - 2) / 30]);
  });
});

describe('containers', () => {
  const read = async () => {
    const namespaces = namespacesOf(machine.host, 100);
    await namespaces.background[0]!.run();
    return collect(createCollector(listeners, machine.host, {}, { namespaces }), machine.host, limit);
  };

  test.each([2, 4])('one with thousands of listeners takes nothing from others (its number: %d)', async (attacker) => {
    const uids = many(700).map((each, i) => ({ ...each, uid: i, drops: 1 }));
    machine.listeners.set(1, [{ port: 22, id: 1 }]);
    for (const inode of [2, 3, 4]) {
      machine.start(String(inode), inode, { cgroup: `/lxc.payload.${inode}` });
      machine.listeners.set(inode, inode === attacker ? uids : [{ port: 80, id: 90_000 }]);
    }
    const page = await read();
    const others = [2, 3, 4].filter((inode) => inode !== attacker).map((inode) => `lxc.payload.${inode}:80`);
    expect(real(page)).toEqual([':22', ...others]);
    expect(total(page)).toBe(Math.floor((limit - 4) / seriesEach));
    expect(Object.fromEntries(leftOut(page))).toMatchObject({ '': 0, [`lxc.payload.${attacker}`]: 703 - total(page) });
  });

  test('many with many sockets each are followed in part', async () => {
    machine.listeners.set(1, [{ port: 22, id: 1 }]);
    for (let inode = 100; inode < 140; inode += 1) {
      machine.start(String(inode), inode, { cgroup: `/lxc.payload.${inode}` });
      machine.listeners.set(inode, [{ port: 80, id: 9, uid: 1 }, ...many(2000)]);
    }
    const page = await read();
    expect(real(page)).toHaveLength(41);
    const counts = leftOut(page).map(([, count]) => count);
    expect(counts.reduce((sum, count) => sum + count)).toBe(40 * 2001 + 1 - total(page));
  });

  test('all namespaces that a user makes have one share', async () => {
    machine.listeners.set(
      1,
      Array.from({ length: 300 }, (_, i) => ({ port: 1 + i, id: 90_000 + i })),
    );
    for (let inode = 100; inode < 150; inode += 1) {
      machine.start(String(inode), inode, { uid: 1000, userNamespace: inode });
      machine.listeners.set(inode, many(100, { drops: 1 }));
    }
    expect(real(await read())).toHaveLength(300);
  });

  test('their TCP counters have room in turns; a namespace has all of them or none, and the settings stay', async () => {
    const setting = 'xen_sysctl_net_core_somaxconn';
    machine.tree.write({ 'proc/sys/net/core/somaxconn': '4096\n' });
    for (let inode = 100; inode < 150; inode += 1)
      machine.start(String(inode), inode, { uid: 1000, userNamespace: inode });
    machine.start('3000', 3000, { cgroup: '/lxc.payload.web' });
    const namespaces = namespacesOf(machine.host, 100);
    await namespaces.background[0]!.run();
    const page = await collect(createCollector(tcp, machine.host, {}, { namespaces }), machine.host, 100);
    const namesOf = (metric: string) => page.samples(metric).map(({ labels }) => labels['netns']);
    expect(namesOf('xen_tcp_passive_opens_total')).toHaveLength(6);
    expect(namesOf('xen_tcp_passive_opens_total')).toEqual(expect.arrayContaining(['', 'lxc.payload.web']));
    expect(namesOf('xen_tcp_established_connections')).toEqual(namesOf('xen_tcp_passive_opens_total'));
    expect(page.value(setting, {})).toBe(4096);
  });
});
