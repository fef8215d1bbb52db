import { beforeEach, describe, expect, test } from 'vitest';
import type { NetworkNamespaces } from '../../../src/sources/namespaces/network-namespaces.ts';
import { listeners } from '../../../src/collectors/listeners/listeners.ts';
import { tcp } from '../../../src/collectors/tcp.ts';
import { NamespaceRefused, NetlinkUnavailable } from '../../../src/host/netlink.ts';
import { readText } from '../../../tools/lib/fixture.ts';
import { collect, createCollector } from '../../../tools/lib/collect.ts';
import { namespacesOf } from '../../../tools/lib/sources.ts';
import { Machine } from '../../support/machine.ts';

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
  return () => machine[Symbol.dispose]();
});

const look = (namespaces: NetworkNamespaces): Promise<void> => namespaces.background[0]!.run();
const namesOf = ({ others }: NetworkNamespaces): string[] => others.map(({ name }) => name);

test('those of other processes are read, ours is not among them', async () => {
  machine.start('20', 2);
  machine.start('21', 2);
  machine.start('30', 3, { cgroup: '/lxc.payload.web' });
  const namespaces = namespacesOf(machine.host, 100);
  await look(namespaces);
  expect(namesOf(namespaces)).toEqual(['2', 'lxc.payload.web']);
  expect([namespaces.count(), namespaces.limitations()]).toEqual([{ read: 2, unread: 0, refused: 0 }, undefined]);
  expect(machine.opened.size).toBe(2);
});

test('listeners and counters have the name of their namespace, and are gone with it', async () => {
  machine.start('30', 3, { cgroup: '/lxc.payload.web' });
  const namespaces = namespacesOf(machine.host, 100);
  const [queues, counters] = [listeners, tcp].map((definition) =>
    createCollector(definition, machine.host, {}, { namespaces }),
  );
  const seen = async () => {
    const pages = [await collect(queues!, machine.host), await collect(counters!, machine.host)];
    const metrics = ['xen_listener_accept_queue_length', 'xen_tcp_passive_opens_total'];
    return pages.map((page, i) => [...new Set(page.samples(metrics[i]!).map(({ labels }) => labels['netns']))]);
  };
  await look(namespaces);
  expect(await seen()).toEqual([
    ['', 'lxc.payload.web'],
    ['', 'lxc.payload.web'],
  ]);
  machine.end('30');
  expect(await seen()).toEqual([[''], ['']]);
  expect(machine.opened.size).toBe(0);
});

test('a sample takes all, also of a namespace that has just come', async () => {
  const namespaces = namespacesOf(machine.host, 100);
  const collector = createCollector(listeners, machine.host, {}, { namespaces });
  collector.sampler!.sample(1);
  machine.start('30', 3);
  await look(namespaces);
  collector.sampler!.sample(1);
  const page = await collect(collector, machine.host);
  const counts = page.samples('xen_listener_accept_queue_fill_ratio_count');
  const most = (netns: string) =>
    Math.max(...counts.flatMap(({ labels, value }) => (labels['netns'] === netns ? value : [])));
  expect([most(''), most('3')]).toEqual([40, 20]);
});

describe('a PID that is another process by now', () => {
  test('is noticed when it is read: its namespace is closed', async () => {
    machine.start('20', 2);
    const namespaces = namespacesOf(machine.host, 100);
    await look(namespaces);
    machine.move('20', 4);
    expect(namespaces.others[0]!.process()).toBeUndefined();
    expect(machine.opened.size).toBe(0);
    expect(namespaces.unread).toEqual([]);
  });

  test('another process of the namespace takes its place', async () => {
    machine.start('20', 2);
    machine.start('21', 2);
    const namespaces = namespacesOf(machine.host, 100);
    await look(namespaces);
    machine.move('20', 1);
    expect(namespaces.others[0]!.process()).toBe('21');
    expect(machine.opened.size).toBe(1);
  });

  test('the last process that we knew has gone, but there is another: it keeps its name', async () => {
    machine.start('20', 2, { cgroup: '/lxc.payload.web' });
    const namespaces = namespacesOf(machine.host, 100);
    await look(namespaces);
    const [namespace] = namespaces.others;
    machine.end('20');
    machine.start('25', 2);
    expect(namespace!.process()).toBeUndefined();
    await look(namespaces);
    expect(namespaces.others).toEqual([namespace]);
    expect([namespace!.name, namespace!.state]).toEqual(['lxc.payload.web', 'read']);
  });
});

describe('more than are to be read', () => {
  test('few sockets first, none last', async () => {
    machine.start('20', 2, { sockets: 50 });
    machine.start('30', 3, { sockets: 0 });
    machine.start('40', 4, { sockets: 5 });
    const namespaces = namespacesOf(machine.host, 2);
    await look(namespaces);
    expect(namesOf(namespaces)).toEqual(['4', '2']);
    expect(namespaces.count()).toEqual({ read: 2, unread: 1, refused: 0 });
    expect(namespaces.limitations()).toBe('the listeners of 1 of 3 other network namespaces; at most 2 are read');
  });

  test('those that are read stay, unless they have no sockets', async () => {
    machine.start('20', 2, { sockets: 50 });
    machine.start('30', 3, { sockets: 0 });
    const namespaces = namespacesOf(machine.host, 2);
    await look(namespaces);
    machine.start('40', 4, { sockets: 5 });
    await look(namespaces);
    expect(namesOf(namespaces)).toEqual(['2', '4']);
    expect(machine.opened.size).toBe(2);
  });
});

describe('a user who makes many namespaces, each in a user namespace of his own', () => {
  const attack = (count: number, uidOf: (i: number) => number, first = 1000): void => {
    for (let i = 0; i < count; i += 1) {
      machine.start(String(first + i), first + i, { userNamespace: first + i, uid: uidOf(i) });
    }
  };
  const container = (pid: string, inode: number): void =>
    machine.start(pid, inode, { sockets: 7, cgroup: `/lxc.payload.${inode}` });

  test.each([
    ['of one uid', () => 1000],
    ['of his subordinate uids', (i: number) => 100_000 + i * 1000],
    ['as root of all of them', () => 0],
  ])('%s has no place of a container, whether he comes before or after', async (_, uidOf) => {
    attack(30, uidOf);
    const namespaces = namespacesOf(machine.host, 6);
    await look(namespaces);
    expect(namesOf(namespaces)).toHaveLength(6);
    [2, 3, 4].forEach((inode) => container(String(inode), inode));
    await look(namespaces);
    attack(30, uidOf, 2000);
    await look(namespaces);
    expect(namesOf(namespaces)).toEqual(expect.arrayContaining(['lxc.payload.2', 'lxc.payload.3', 'lxc.payload.4']));
    expect(namespaces.count()).toEqual({ read: 6, unread: 57, refused: 0 });
  });

  test('takes no share of series either: the tenant of all of them is he', async () => {
    attack(3, () => 1000);
    container('2', 2);
    const namespaces = namespacesOf(machine.host, 100);
    await look(namespaces);
    expect(namespaces.others.map(({ tenant }) => tenant).sort()).toEqual([
      'netns 2',
      ...Array<string>(3).fill('user 1000'),
    ]);
  });

  test('cannot hide who is unread: the list has a fair share too, and an end', async () => {
    attack(200, () => 1000);
    [2, 3, 4].forEach((inode) => container(String(inode), inode));
    machine.start('5', 5, { sockets: 0 });
    const namespaces = namespacesOf(machine.host, 2);
    await look(namespaces);
    const collector = createCollector(listeners, machine.host, {}, { namespaces });
    const unread = (await collect(collector, machine.host)).samples('xen_exporter_unread_network_namespace');
    const names = unread.map(({ labels }) => labels['netns']!);
    expect(names).toHaveLength(100);
    expect([...namesOf(namespaces), ...names]).toEqual(
      expect.arrayContaining(['lxc.payload.2', 'lxc.payload.3', 'lxc.payload.4']),
    );
    expect(names).not.toContain('5');
  });
});

test('a namespace that is read no more is closed, listed as unread under its name, and read again when there is room', async () => {
  machine.start('20', 2, { sockets: 5, cgroup: '/lxc.payload.web' });
  const namespaces = namespacesOf(machine.host, 1);
  await look(namespaces);
  machine.tree.write({ 'proc/20/net/sockstat': 'TCP: inuse 0 orphan 0 tw 0 alloc 1 mem 0\n' });
  machine.start('30', 3);
  await look(namespaces);
  machine.tree.write({ 'proc/20/net/sockstat': 'TCP: inuse 5 orphan 0 tw 0 alloc 1 mem 0\n' });
  await look(namespaces);
  expect([namesOf(namespaces), namespaces.unread.map(({ name }) => name)]).toEqual([['3'], ['lxc.payload.web']]);
  expect(machine.opened.size).toBe(1);
  machine.end('30');
  await look(namespaces);
  expect([namesOf(namespaces), namespaces.unread]).toEqual([['lxc.payload.web'], []]);
  expect(machine.opened.size).toBe(1);
});

test('a refusal is counted and explained, and the counters are read all the same', async () => {
  machine.fail = new NamespaceRefused('setns /proc/20/ns/net: EPERM');
  machine.start('20', 2);
  const namespaces = namespacesOf(machine.host, 100);
  await look(namespaces);
  const collector = createCollector(listeners, machine.host, {}, { namespaces });
  expect(collector.limitations!()).toBe(
    'the listeners of 1 of 1 other network namespaces; which needs CAP_SYS_ADMIN and CAP_SYS_PTRACE; setns /proc/20/ns/net: EPERM',
  );
  const page = await collect(collector, machine.host);
  expect(page.samples('xen_exporter_network_namespaces').map(({ value }) => value)).toEqual([1, 0, 1]);
  expect(page.value('xen_exporter_unread_network_namespace', { netns: '2', state: 'refused' })).toBe(1);
  const counters = await collect(createCollector(tcp, machine.host, {}, { namespaces }), machine.host);
  expect(counters.value('xen_tcp_passive_opens_total', { netns: '2' })).toBe(1559);
});

test('an exchange that fails costs its own namespace alone, until the next look', async () => {
  machine.start('20', 2);
  const namespaces = namespacesOf(machine.host, 100);
  await look(namespaces);
  const collector = createCollector(listeners, machine.host, {}, { namespaces });
  machine.fail = new NetlinkUnavailable('netlink recv: ENOBUFS');
  const page = await collect(collector, machine.host);
  expect(page.value('xen_exporter_network_namespaces', { state: 'unread' })).toBe(1);
  expect(page.samples('xen_listener_sockets').every(({ labels }) => labels['netns'] === '')).toBe(true);
  expect(collector.limitations!()).toContain('ENOBUFS');
  machine.fail = undefined;
  await look(namespaces);
  expect(namespaces.count()).toEqual({ read: 1, unread: 0, refused: 0 });
});

test('where listeners are read from /proc no other namespace counts as read', async () => {
  machine.tree.write({ 'proc/net/tcp': readText('linux-6.18/proc-net-tcp') });
  machine.start('20', 2);
  const namespaces = namespacesOf(machine.host, 100);
  await look(namespaces);
  const page = await collect(
    createCollector(listeners, machine.host, { source: 'proc' }, { namespaces }),
    machine.host,
  );
  expect(page.samples('xen_exporter_network_namespaces').map(({ labels, value }) => [labels['state'], value])).toEqual([
    ['read', 1],
    ['unread', 1],
    ['refused', 0],
  ]);
  expect(page.value('xen_exporter_unread_network_namespace', { netns: '2', state: 'unread' })).toBe(1);
});

test('without a wish for others nothing is looked for', () => {
  expect([namespacesOf(machine.host).background, namespacesOf(machine.host).areWanted]).toEqual([[], false]);
});
