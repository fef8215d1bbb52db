import { mkdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NetworkNamespaces } from '../../../src/sources/namespaces/network-namespaces.ts';
import { listeners } from '../../../src/collectors/listeners/listeners.ts';
import { tcp } from '../../../src/collectors/tcp.ts';
import {
  NamespaceRefused,
  NetlinkUnavailable,
  type EnteredNamespace,
  type Netlink,
} from '../../../src/host/netlink.ts';
import { readBytes, readText } from '../../../tools/lib/fixture.ts';
import { collect, createCollector } from '../../../tools/lib/collect.ts';
import { fakeHost, replayNetlink, TempTree } from '../../../tools/lib/fake-host.ts';
import { namespacesOf } from '../../../tools/lib/sources.ts';

/** A machine whose processes are in the namespaces that it is told. */
class Machine implements Disposable {
  readonly tree = new TempTree().write({
    'proc/net/snmp': readText('guests/pv-storm/proc/net/snmp'),
    'proc/net/netstat': readText('guests/pv-storm/proc/net/netstat'),
  });
  readonly opened = new Set<EnteredNamespace>();
  fail: Error | undefined;
  readonly host = fakeHost(this.tree.root, { netlink: this.#netlink() });

  constructor() {
    this.start('self', 1);
    this.start('10', 1);
  }

  #netlink(): Netlink {
    const listen = readBytes('linux-6.18/inet-diag-listen-v4.bin');
    const done = Uint8Array.of(20, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const answer = (request: Uint8Array): Uint8Array => (request[16] === 2 && request[21] === 4 ? listen : done);
    return {
      ...replayNetlink((_, request) => answer(request)),
      exchangeIn: (namespace, request) => {
        if (!this.fail) return answer(request);
        namespace.close();
        throw this.fail;
      },
      enter: () => {
        if (this.fail) throw this.fail;
        const entered: EnteredNamespace = { isOpen: true, close: () => this.opened.delete(entered) };
        Object.defineProperty(entered, 'isOpen', { get: () => this.opened.has(entered) });
        this.opened.add(entered);
        return entered;
      },
    };
  }

  /** A process, with so many TCP sockets in its namespace. */
  start(pid: string, inode: number, { sockets = 1, cgroup = '/' } = {}): void {
    this.tree.write({
      [`proc/${pid}/cgroup`]: `0::${cgroup}\n`,
      [`proc/${pid}/net/snmp`]: readText('guests/pv-storm/proc/net/snmp'),
      [`proc/${pid}/net/netstat`]: readText('guests/pv-storm/proc/net/netstat'),
      [`proc/${pid}/net/sockstat`]: `TCP: inuse ${sockets} orphan 0 tw 0 alloc 1 mem 0\n`,
    });
    mkdirSync(this.tree.path(`proc/${pid}/ns`));
    symlinkSync(`net:[${inode}]`, this.tree.path(`proc/${pid}/ns/net`));
  }

  /** Its PID is another process's, in another namespace. */
  move(pid: string, inode: number): void {
    unlinkSync(this.tree.path(`proc/${pid}/ns/net`));
    symlinkSync(`net:[${inode}]`, this.tree.path(`proc/${pid}/ns/net`));
  }

  end(pid: string): void {
    rmSync(this.tree.path(`proc/${pid}`), { recursive: true });
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
  }
}

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

test('a sample takes all; of a namespace that comes the first stands for no time', async () => {
  const namespaces = namespacesOf(machine.host, 100);
  const collector = createCollector(listeners, machine.host, {}, { namespaces });
  collector.sampler!.sample();
  machine.start('30', 3);
  await look(namespaces);
  collector.sampler!.sample();
  const page = await collect(collector, machine.host);
  const counts = page.samples('xen_listener_accept_queue_fill_ratio_count');
  const most = (netns: string) =>
    Math.max(...counts.flatMap(({ labels, value }) => (labels['netns'] === netns ? value : [])));
  expect([most(''), most('3')]).toEqual([2, 1]);
});

describe('a PID that is another process by now', () => {
  test('is noticed when it is read: its namespace is closed', async () => {
    machine.start('20', 2);
    const namespaces = namespacesOf(machine.host, 100);
    await look(namespaces);
    machine.move('20', 4);
    expect(namespaces.others[0]!.process()).toBeUndefined();
    expect(machine.opened.size).toBe(0);
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
});

test('without a wish for others nothing is looked for', () => {
  expect([namespacesOf(machine.host).background, namespacesOf(machine.host).areWanted]).toEqual([[], false]);
});
