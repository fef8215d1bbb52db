import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { netfront } from '../../src/collectors/netfront.ts';
import { collect, createCollector, whyAbsent } from '../../tools/lib/collect.ts';
import { fakeHost, replayNetlink, TempTree } from '../../tools/lib/fake-host.ts';
import { guestHost, guestRoot } from '../../tools/lib/guests.ts';

const netDev = (
  packets: number,
): string => `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0: 1 ${packets} 3 4 0 0 0 0 5 6 7 8 0 0 0 0
`;

const tree = (): TempTree =>
  new TempTree().write({
    'sys/hypervisor/type': 'xen\n',
    'sys/bus/xen/devices/vif-2/net/eth0/ifindex': '2\n',
    'sys/class/net/eth0/ifindex': '2\n',
    'sys/class/net/eth0/queues/rx-0/rps_cpus': '0\n',
    'sys/class/net/eth0/queues/tx-0/tx_timeout': '0\n',
    'proc/net/dev': netDev(2),
  });

const qdiscReply = readFileSync(resolve(guestRoot('pv-netlink-storm'), 'netlink/rtm-getqdisc.bin'));

test('names devices by their vif; the root qdisc is found by interface index', async () => {
  using files = tree();
  const host = fakeHost(files.root, { netlink: replayNetlink(() => qdiscReply) });
  const page = await collect(createCollector(netfront, host), host);
  const value = (name: string) => page.value(`xen_netfront_${name}`, { vif: '2' });
  expect({
    receivePackets: value('receive_packets_total'),
    receiveErrors: value('receive_errors_total'),
    receiveDropped: value('receive_dropped_packets_total'),
    transmitBytes: value('transmit_bytes_total'),
    transmitDropped: value('transmit_dropped_packets_total'),
    queues: value('queues'),
    backlog: value('qdisc_backlog_packets'),
    drops: value('qdisc_drops_total'),
  }).toEqual({
    receivePackets: 2,
    receiveErrors: 3,
    receiveDropped: 4,
    transmitBytes: 5,
    transmitDropped: 8,
    queues: 1,
    backlog: 0,
    drops: 0,
  });
});

test('without netlink the qdisc is absent, not zero', async () => {
  using files = tree();
  const host = fakeHost(files.root);
  const collector = createCollector(netfront, host);
  const page = await collect(collector, host);
  expect(collector.limitations!()).toBe('qdiscs: this is a copy of files');
  expect(page.value('xen_netfront_receive_packets_total')).toBe(2);
  expect(page.samples('xen_netfront_qdisc_drops_total')).toEqual([]);
});

test('devices come and go between scrapes', async () => {
  using files = tree();
  const host = fakeHost(files.root);
  const collector = createCollector(netfront, host);
  files.write({ 'proc/net/dev': `${netDev(2)}  eth1: 1 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n` });
  files.write({ 'sys/bus/xen/devices/vif-3/net/eth1/ifindex': '3\n' });
  const both = await collect(collector, host);
  expect(both.samples('xen_netfront_receive_packets_total').map(({ labels }) => labels['vif'])).toEqual(['2', '3']);
  using without = tree();
  const other = fakeHost(without.root);
  expect((await collect(collector, other)).samples('xen_netfront_receive_packets_total')).toHaveLength(1);
});

test('a guest without netfront (a passed-through NIC), and no Xen at all', () => {
  using files = new TempTree().write({ 'sys/hypervisor/type': 'xen\n' });
  const host = fakeHost(files.root);
  expect(whyAbsent(createCollector(netfront, host))).toBe(`no network device in ${files.path('sys/bus/xen/devices')}`);
  using empty = new TempTree();
  expect(whyAbsent(createCollector(netfront, fakeHost(empty.root)))).toContain('does not run on Xen');
  expect(createCollector(netfront, guestHost('hvm-idle')).availability()).toBe(true);
});
