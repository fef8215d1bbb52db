import { readFileSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { vif } from '../../src/collectors/vif.ts';
import { FileError } from '../../src/host/file-tree.ts';
import type { Host } from '../../src/host/host.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import { replayNetlink, type TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost, hostRoot } from '../../tools/lib/hosts.ts';
import { addStubDomain } from '../support/stub-domain.ts';

const domu1 = { domain: 'domu1', vif: '0' };
const netDev = readText('hosts/credit-storm/proc/net/dev');

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-storm'));
});
afterEach(() => tree[Symbol.dispose]());

const start = async (on: Host = host): Promise<Collector> => {
  const collector = createCollector(vif, on);
  await runBackground([collector]);
  return collector;
};

/** A device's row with these counters. */
const row = (device: string, received: string, transmitted: string): string => `${device}: ${received} ${transmitted}`;

test('both drop counters of a vif are packets that the guest lost, by what became of them', async () => {
  const changed = netDev.replace(/^vif1\.0:.*$/m, row('vif1.0', '399465 5611 0 7 0 0 0 0', '769590 7206 0 11 0 0 0 0'));
  tree.write({ 'proc/net/dev': changed });
  const page = await collect(await start(), host);
  const dropped = (reason: string) => page.value('xen_vif_receive_dropped_packets_total', { ...domu1, reason });
  expect([dropped('refused'), dropped('expired')]).toEqual([11, 7]);
});

describe('connected', () => {
  const connected = async (on: Host = host) => (await collect(await start(on), on)).value('xen_vif_connected', domu1);

  test('by its carrier', async () => {
    expect(await connected()).toBe(1);
    tree.write({ 'sys/class/net/vif1.0/carrier': '0\n' });
    expect(await connected()).toBe(0);
  });

  test('not while it is down: then it has no carrier to ask for', async () => {
    const down: Host = {
      ...host,
      sysfs: host.sysfs.with((path) => {
        if (path.endsWith('vif1.0/carrier')) throw new FileError(path, 'EINVAL', 'EINVAL: invalid argument');
      }),
    };
    expect(await connected(down)).toBe(0);
  });
});

test('counters of a vif that reconnects begin at 0 in the kernel, and go on here', async () => {
  const collector = await start();
  const packets = async () => (await collect(collector, host)).value('xen_vif_receive_packets_total', domu1);
  expect(await packets()).toBe(7206);
  tree.write({
    'proc/net/dev': netDev.replace(/^vif1\.0:.*$/m, row('vif1.0', '0 0 0 0 0 0 0 0', '500 5 0 0 0 0 0 0')),
  });
  expect(await packets()).toBe(7206 + 5);
});

test('qdiscs: what backs up behind a full queue of netback, as the kernel’s own reply has it', async () => {
  // The same devices with the same interface indices in another storm: tc -s prints `qdisc mq 0: dev vif1.0 root`,
  // dropped 0, backlog 0p.
  const reply = readFileSync(resolve(hostRoot('credit-netlink-storm'), 'netlink/rtm-getqdisc.bin'));
  const withNetlink: Host = { ...host, netlink: replayNetlink(() => reply) };
  const collector = await start(withNetlink);
  const page = await collect(collector, withNetlink);
  expect(page.value('xen_vif_qdisc_backlog_packets', domu1)).toBe(0);
  expect(page.value('xen_vif_qdisc_drops_total', domu1)).toBe(0);
  expect(collector.limitations!()).toBeUndefined();
  // Position of the drops of vif1.0's mq root. test/formats/rtnetlink-qdisc.test.ts describes the reply.
  const dropping = Buffer.from(reply);
  const root = dropping.indexOf(Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
  const queue = dropping.indexOf(Buffer.from([24, 0, 3, 0]), root);
  dropping.writeUInt32LE(42, queue + 4);
  dropping.writeUInt32LE(17, queue + 12);
  const full: Host = { ...host, netlink: replayNetlink(() => dropping) };
  const after = await collect(collector, full);
  expect(after.value('xen_vif_qdisc_backlog_packets', domu1)).toBe(42);
  expect(after.value('xen_vif_qdisc_drops_total', domu1)).toBe(17);
  expect(after.value('xen_vif_qdisc_drops_total', { domain: 'domu2', vif: '0' })).toBe(0);
});

test('drops of the qdisc that go back with the traffic of the vif have not wrapped', async () => {
  const reply = readFileSync(resolve(hostRoot('credit-netlink-storm'), 'netlink/rtm-getqdisc.bin'));
  const root = reply.indexOf(Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
  const withNetlink: Host = { ...host, netlink: replayNetlink(() => reply) };
  const collector = await start(withNetlink);
  const drops = async (count: number, packets: number) => {
    host.clock.advance(15);
    reply.writeUInt32LE(count, reply.indexOf(Buffer.from([24, 0, 3, 0]), root) + 12);
    const traffic = `500 ${packets} 0 0 0 0 0 0`;
    tree.write({ 'proc/net/dev': netDev.replace(/^vif1\.0:.*$/m, row('vif1.0', traffic, traffic)) });
    return (await collect(collector, withNetlink)).value('xen_vif_qdisc_drops_total', domu1);
  };
  expect(await drops(4.2e9, 7206)).toBe(4.2e9);
  expect(await drops(5, 9)).toBe(4.2e9 + 5);
});

test('without netlink qdiscs are absent, and it says so', async () => {
  const collector = await start();
  expect((await collect(collector, host)).samples('xen_vif_qdisc_drops_total')).toEqual([]);
  expect(collector.limitations!()).toBe('qdiscs: this is a copy of files');
});

test('the device of a device model (-emu) is none of the guest’s vifs', async () => {
  tree.write({ 'proc/net/dev': `${netDev}vif1.0-emu: 0 0 0 0 0 0 0 0 586 7 0 0 0 0 0 0\n` });
  const page = await collect(await start(), host);
  expect(page.value('xen_vif_receive_packets_total', domu1)).toBe(7206);
  expect(page.samples('xen_vif_receive_packets_total')).toHaveLength(3);
});

test('a vif with a name of its own (vifname)', async () => {
  renameSync(tree.path('sys/class/net/vif1.0'), tree.path('sys/class/net/web-0'));
  rmSync(tree.path('sys/bus/xen-backend/devices/vif-1-0/net'), { recursive: true });
  tree.write({
    'sys/bus/xen-backend/devices/vif-1-0/net/web-0/ifindex': '4\n',
    'proc/net/dev': netDev.replace('vif1.0:', 'web-0:'),
  });
  const page = await collect(await start(), host);
  expect(page.value('xen_vif_receive_packets_total', domu1)).toBe(7206);
  expect(page.value('xen_vif_connected', domu1)).toBe(1);
});

test('in a driver domain: domids for names, and an info to join them by, without MAC addresses', async () => {
  tree.write({ 'proc/xen/capabilities': '', 'sys/hypervisor/properties/features': '000220f0\n' });
  const page = await collect(await start(), host);
  expect(page.samples('xen_vif_info').map(({ labels }) => labels)).toEqual(
    ['1', '2', '3'].map((domid) => ({ domain: `domid:${domid}`, domid, vif: '0', mac: '', bridge: 'xenbr0' })),
  );
});

test('a vif of a domain that is not listed has no series, and has the list read at once', async () => {
  const collector = createCollector(vif, host);
  const [list] = collector.sharedTasks!;
  let asked = 0;
  list!.onStart!(() => (asked += 1));
  expect((await collect(collector, host)).samples('xen_vif_connected')).toEqual([]);
  expect(asked).toBe(3);
  await list!.run();
  expect((await collect(collector, host)).samples('xen_vif_connected')).toHaveLength(3);
});

test("a stub domain's traffic counts for its guest; states are the guest's own", async () => {
  addStubDomain(tree).write({ 'sys/class/net/vif2.0/carrier': '0\n' });
  const page = await collect(await start(), host);
  expect(page.value('xen_vif_receive_packets_total', domu1)).toBe(7206 + 260);
  expect(page.value('xen_vif_connected', domu1)).toBe(1);
  expect(page.samples('xen_vif_connected').map(({ labels }) => labels['domain'])).toEqual(['domu1', 'pvh1']);
});

test('off a backend it says why it has nothing', () => {
  rmSync(tree.path('sys/bus/xen-backend/devices'), { recursive: true });
  expect(whyAbsent(createCollector(vif, host))).toBe(`no vif in ${tree.path('sys/bus/xen-backend/devices')}`);
});
