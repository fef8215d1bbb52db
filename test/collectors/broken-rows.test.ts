// One file serves many devices: a broken part costs only the series of its row or number, and is counted.
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cpu } from '../../src/collectors/cpu.ts';
import { guest } from '../../src/collectors/guest.ts';
import { interrupts } from '../../src/collectors/interrupts.ts';
import { netfront } from '../../src/collectors/netfront.ts';
import { softnet } from '../../src/collectors/softnet.ts';
import { tcp } from '../../src/collectors/tcp.ts';
import { uplink } from '../../src/collectors/uplink.ts';
import { vif } from '../../src/collectors/vif.ts';
import { xenbus } from '../../src/collectors/xenbus.ts';
import type { CollectorDefinition } from '../../src/collectors/collector.ts';
import { FileError } from '../../src/host/file-tree.ts';
import type { Host } from '../../src/host/host.ts';
import { collect, createCollector, runBackground, skippedBy } from '../../tools/lib/collect.ts';
import { fakeHost, TempTree } from '../../tools/lib/fake-host.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';

let tree: TempTree;
beforeEach(() => {
  tree = new TempTree();
});
afterEach(() => tree[Symbol.dispose]());

/** A collector's current values, and the items that it skipped. */
const scrape = async (definition: CollectorDefinition, host: Host = fakeHost(tree.root)) => {
  const collector = createCollector(definition, host);
  await runBackground([collector]);
  const page = await collect(collector, host);
  const skipped = skippedBy(collector);
  return { page, items: skipped?.items ?? 0, first: skipped?.first.message };
};

/** Values of a metric by one of its labels. */
const by = async (label: string, metric: string, scraped: ReturnType<typeof scrape>) =>
  (await scraped).page.samples(metric).map(({ labels, value }) => [labels[label], value]);

/** The same host with these files unreadable. */
const unreadable = (host: Host, files: RegExp): Host => {
  const refuse = (path: string): void => {
    if (files.test(path)) throw new FileError(path, 'EACCES', 'EACCES: permission denied');
  };
  return { ...host, procfs: host.procfs.with(refuse), sysfs: host.sysfs.with(refuse) };
};

test('a CPU of /proc/stat', async () => {
  tree.write({
    'proc/stat': 'cpu  3 3 3 3 3 3 3 3\ncpu0 1 1 1 1 1 1 1 100\ncpu1 1 1\ncpu2 1 - 1 1 1 1 1 300\nintr 1\n',
  });
  const { page, items, first } = await scrape(cpu);
  expect(page.value('xen_cpu_seconds_total', { cpu: '0', mode: 'steal' })).toBe(1);
  expect(page.samples('xen_cpu_seconds_total').filter(({ labels }) => labels['cpu'] === '1')).toEqual([]);
  expect(page.value('xen_cpu_seconds_total', { cpu: '2', mode: 'nice' })).toBeUndefined();
  expect(page.value('xen_cpu_seconds_total', { cpu: '2', mode: 'steal' })).toBe(3);
  expect([items, first]).toEqual([2, `${tree.path('proc/stat')}: expected a line "cpuN ...", found "cpu1 1 1"`]);
});

test('a CPU of softnet_stat, also before Linux 5.10, where its place tells which it is', async () => {
  const row = (count: number): string => `0000000${count}${' 00000000'.repeat(10)}\n`;
  tree.write({ 'proc/net/softnet_stat': `${row(1)}garbage\n${row(3)}`, 'sys/devices/system/cpu/online': '0-2\n' });
  expect(await by('cpu', 'xen_softnet_processed_packets_total', scrape(softnet))).toEqual([
    ['0', 1],
    ['2', 3],
  ]);
  expect(await scrape(softnet)).toMatchObject({ items: 1 });
});

test('a pair of lines of /proc/net/snmp, one counter, and a setting', async () => {
  tree.write({
    'proc/net/snmp': 'Ip: A\nIp: 1 2\nTcp: PassiveOpens CurrEstab\nTcp: 7 -\n',
    'proc/net/netstat': 'TcpExt: ListenDrops\nTcpExt: 9\n',
    'proc/sys/net/core/somaxconn': 'many\n',
    'proc/sys/net/ipv4/tcp_syncookies': '1\n',
  });
  const { page, items } = await scrape(tcp);
  expect(page.value('xen_tcp_passive_opens_total')).toBe(7);
  expect(page.value('xen_tcp_listen_drops_total')).toBe(9);
  expect(page.value('xen_sysctl_net_ipv4_tcp_syncookies')).toBe(1);
  expect(page.families.has('xen_tcp_established_connections')).toBe(false);
  expect(page.families.has('xen_sysctl_net_core_somaxconn')).toBe(false);
  expect(items).toBe(3);
});

test('a setting that may not be read', async () => {
  tree.write({
    'proc/net/snmp': 'Tcp: PassiveOpens\nTcp: 7\n',
    'proc/net/netstat': 'TcpExt: ListenDrops\nTcpExt: 9\n',
    'proc/sys/net/core/somaxconn': '4096\n',
  });
  const { page, items } = await scrape(tcp, unreadable(fakeHost(tree.root), /somaxconn$/));
  expect([page.value('xen_tcp_listen_drops_total'), items]).toEqual([9, 1]);
});

test.each([
  ['proc/stat', cpu, 'cpu0 1\n'],
  ['proc/net/softnet_stat', softnet, '1 2 3\n'],
  ['proc/net/netstat', tcp, 'TcpExt: A B\nTcpExt: 1\n'],
  ['proc/net/netstat', tcp, 'TcpExt: A\nTcpExt: 1'],
])(
  'a file of which nothing can be read, or that is cut off, fails its collector: %s',
  async (file, definition, text) => {
    tree.write({ 'proc/net/snmp': 'Tcp: PassiveOpens\nTcp: 7\n', [file]: text });
    await expect(scrape(definition)).rejects.toThrow(`${tree.path(file)}: expected `);
  },
);

test('a counter of a backend device', async () => {
  const { tree: copy, host } = copyOfHost('credit-storm');
  using _ = copy;
  copy.write({ 'sys/bus/xen-backend/devices/vif-1-0/xenbus/events': '-\n' });
  const { page, items } = await scrape(xenbus, host);
  const ofDevice = (metric: string) => page.value(metric, { domain: 'domu1', class: 'vif', device: '0' });
  expect([ofDevice('xen_backend_events_total'), ofDevice('xen_backend_event_channels'), items]).toEqual([
    undefined,
    expect.any(Number),
    1,
  ]);
});

test('an interrupt', async () => {
  tree.write({
    'sys/hypervisor/type': 'xen\n',
    'proc/interrupts': '  CPU0\n 16: - xen-dyn -event vif0-q0-tx\n 17: 5 xen-dyn -event vif0-q0-rx\nhello\n',
  });
  expect(await by('ring', 'xen_netfront_interrupts_total', scrape(interrupts))).toEqual([['rx', 5]]);
  expect(await scrape(interrupts)).toMatchObject({ items: 2 });
});

describe('a network device of a guest', () => {
  const [one = '', two = ''] = readText('guests/pv-storm/proc/net/dev').split('\n');
  const row = (name: string, packets: string): string => `${name}: 1 ${packets} 3 4 0 0 0 0 5 6 7 8 0 0 0 0`;
  const guestWith = (...rows: string[]): Host => {
    tree.write({
      'sys/hypervisor/type': 'xen\n',
      'sys/bus/xen/devices/vif-0/net/eth0/ifindex': '2\n',
      'sys/bus/xen/devices/vif-1/net/eth1/ifindex': '3\n',
      'sys/class/net/eth0/queues/rx-0/rps_cpus': '0\n',
      'sys/class/net/eth1/queues/rx-0/rps_cpus': '0\n',
      'proc/net/dev': [one, two, ...rows, ''].join('\n'),
    });
    return fakeHost(tree.root);
  };

  test('by a broken row: its traffic, not its queues, and nothing of the other', async () => {
    const host = guestWith('  wg0: 1 2', row('eth0', '7'), row('eth1', '-'));
    expect(await by('vif', 'xen_netfront_receive_packets_total', scrape(netfront, host))).toEqual([['0', 7]]);
    expect(await by('vif', 'xen_netfront_receive_bytes_total', scrape(netfront, host))).toHaveLength(2);
    expect(await by('vif', 'xen_netfront_queues', scrape(netfront, host))).toEqual([
      ['0', 1],
      ['1', 1],
    ]);
    expect(await scrape(netfront, host)).toMatchObject({ items: 2 });
  });

  test('without a row of it, its traffic is counted as missing', async () => {
    const host = guestWith(row('eth0', '7'));
    expect(await by('vif', 'xen_netfront_queues', scrape(netfront, host))).toHaveLength(2);
    expect(await scrape(netfront, host)).toMatchObject({
      items: 1,
      first: `${tree.path('proc/net/dev')}: expected a row of eth1, found none`,
    });
  });

  test('whose name may not be read', async () => {
    const host = unreadable(guestWith(row('eth0', '7'), row('eth1', '8')), /vif-1\/net$/);
    expect(await by('vif', 'xen_netfront_receive_packets_total', scrape(netfront, host))).toEqual([['0', 7]]);
    expect(createCollector(netfront, host).availability()).toBe(true);
  });
});

test('a vif by a broken row of /proc/net/dev: its traffic, not its state, and nothing of the others', async () => {
  const { tree: copy, host } = copyOfHost('credit-storm');
  using _ = copy;
  const netDev = readText('hosts/credit-storm/proc/net/dev');
  copy.write({ 'proc/net/dev': netDev.replace(/^(vif1\.0:).*$/m, '$1 1 2 3') });
  const scraped = scrape(vif, host);
  expect((await by('domain', 'xen_vif_receive_packets_total', scraped)).map(([domain]) => domain)).toEqual([
    'domu2',
    'pvh1',
  ]);
  expect(await by('domain', 'xen_vif_connected', scraped)).toHaveLength(3);
  expect(await by('domain', 'xen_vif_info', scraped)).toHaveLength(3);
  expect(await scraped).toMatchObject({ items: 1 });
});

test('vifs of which /proc/net/dev has no row: each is counted', async () => {
  const { tree: copy, host } = copyOfHost('credit-storm');
  using _ = copy;
  copy.write({ 'proc/net/dev': readText('hosts/credit-storm/proc/net/dev').split('\n').slice(0, 2).join('\n') + '\n' });
  const { page, items } = await scrape(vif, host);
  expect([page.samples('xen_vif_info').length, page.samples('xen_vif_receive_packets_total'), items]).toEqual([
    3,
    [],
    3,
  ]);
});

test('a CPU of connection tracking', async () => {
  const text = readText('xl/proc-net-stat-nf_conntrack');
  const [heading = '', row = ''] = text.split('\n');
  const columns = heading.trim().split(/ +/);
  const drops = columns.map((name) => (name === 'drop' ? '00000007' : '00000000')).join(' ');
  tree.write({
    'proc/sys/net/netfilter/nf_conntrack_count': '5\n',
    'proc/net/stat/nf_conntrack': [heading, 'garbage', drops, row, ''].join('\n'),
  });
  const { page, items } = await scrape(uplink);
  expect([page.value('xen_conntrack_drops_total'), page.value('xen_conntrack_entries'), items]).toEqual([7, 5, 1]);
});

describe('who we are', () => {
  const files = {
    'sys/hypervisor/type': 'xen\n',
    'sys/hypervisor/uuid': '6c9ee902-e8b7-484d-b5a1-502d89e835de\n',
    'sys/hypervisor/guest_type': 'PVH\n',
    'sys/hypervisor/properties/features': '00002705\n',
    'proc/xen/capabilities': '',
  };
  const identity = async (host: Host) => {
    const { page, items } = await scrape(guest, host);
    const [sample] = page.samples('xen_guest_info');
    return [sample?.labels['type'], sample?.labels['role'], items];
  };

  test('without the features of Xen it is known by the other files', async () => {
    tree.write({ ...files, 'sys/hypervisor/properties/features': 'none\n' });
    expect(await identity(fakeHost(tree.root))).toEqual(['pvh', 'guest', 1]);
    expect(await identity(unreadable(fakeHost(tree.root), /features$/))).toEqual(['pvh', 'guest', 1]);
  });

  test('without capabilities the features tell Dom0', async () => {
    tree.write({ ...files, 'sys/hypervisor/properties/features': '00002f05\n' });
    expect(await identity(unreadable(fakeHost(tree.root), /capabilities$/))).toEqual(['pvh', 'dom0', 1]);
  });

  test('without a type it is empty, not another one', async () => {
    tree.write(files);
    expect(await identity(unreadable(fakeHost(tree.root), /guest_type$/))).toEqual(['', 'guest', 1]);
  });

  test('if neither tells the role, that is a failure: a Dom0 must not pass for a guest', async () => {
    tree.write(files);
    const host = unreadable(fakeHost(tree.root), /(capabilities|features)$/);
    await expect(scrape(guest, host)).rejects.toThrow('EACCES');
    rmSync(tree.path('proc/xen/capabilities'));
    await expect(scrape(guest, unreadable(fakeHost(tree.root), /features$/))).rejects.toThrow('EACCES');
  });
});
