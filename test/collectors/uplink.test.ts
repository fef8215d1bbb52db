import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { uplink } from '../../src/collectors/uplink.ts';
import { CommandError, type Command } from '../../src/host/commands.ts';
import type { Host } from '../../src/host/host.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import { fakeHost, TempTree } from '../../tools/lib/fake-host.ts';
import { guestRoot } from '../../tools/lib/guests.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-storm'));
});
afterEach(() => tree[Symbol.dispose]());

describe('network cards', () => {
  test('the card that the bridge has; neither the bridge nor vifs nor lo', async () => {
    const files = { rx_missed_errors: 3, rx_dropped: 2, rx_errors: 1 };
    for (const [file, n] of Object.entries(files)) {
      tree.write({ [`sys/class/net/eth0/statistics/${file}`]: `${n}\n` });
    }
    const collector = createCollector(uplink, host);
    const page = await collect(collector, host);
    expect(collector.availability()).toBe(true);
    expect([...page.families.keys()].map((name) => page.samples(name)).flat()).toEqual([
      { name: 'xen_uplink_receive_missed_total', labels: { device: 'eth0' }, value: 3 },
      { name: 'xen_uplink_receive_dropped_total', labels: { device: 'eth0' }, value: 2 },
      { name: 'xen_uplink_receive_errors_total', labels: { device: 'eth0' }, value: 1 },
    ]);
  });

  test('a card whose driver begins anew counts from 0, and its series go on', async () => {
    const collector = createCollector(uplink, host);
    const missed = async (printed: string) => {
      tree.write({ 'sys/class/net/eth0/statistics/rx_missed_errors': printed });
      return (await collect(collector, host)).value('xen_uplink_receive_missed_total', { device: 'eth0' });
    };
    expect([await missed('7\n'), await missed('2\n')]).toEqual([7, 9]);
    expect([await missed('18446744073709551606\n'), await missed('3\n')]).toEqual([9, 10]);
  });

  test("a guest's netfront device is none", () => {
    using guest = new TempTree();
    cpSync(guestRoot('hvm-idle'), guest.root, { recursive: true });
    // The capture has no symbolic links. In a real sysfs the device links to its folder on Xen's bus.
    mkdirSync(guest.path('sys/class/net/eth0'), { recursive: true });
    symlinkSync('../../../bus/xen/devices/vif-0', guest.path('sys/class/net/eth0/device'));
    expect(whyAbsent(createCollector(uplink, fakeHost(guest.root)))).toContain(
      `no network card in ${guest.path('sys/class/net')}`,
    );
  });
});

describe('connection tracking', () => {
  const captured = readText('xl/proc-net-stat-nf_conntrack');
  const columns = captured.split('\n')[0]!.trim().split(/ +/);
  const pageWith = async (collector = createCollector(uplink, host)) => {
    const page = await collect(collector, host);
    const value = (name: string) => page.value(`xen_conntrack_${name}`);
    return ['entries', 'entries_limit', 'drops_total', 'early_drops_total', 'insert_failed_total'].map(value);
  };
  /** The captured file with these numbers, one per CPU, in columns that were zero. */
  const stat = (counts: Readonly<Record<string, readonly [string, string]>>): string => {
    const [heading, ...rows] = captured.trimEnd().split('\n');
    const filled = rows.map((row, cpu) => {
      let column = -1;
      return row.replace(/[0-9a-f]{8}/g, (zeros) => counts[columns[(column += 1)]!]?.[cpu] ?? zeros);
    });
    return [heading, ...filled, ''].join('\n');
  };

  test('entries and their limit, and what was lost on all CPUs', async () => {
    tree.write({
      'proc/sys/net/netfilter/nf_conntrack_count': '65530\n',
      'proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
      'proc/net/stat/nf_conntrack': stat({
        drop: ['0000000a', '00000100'],
        early_drop: ['00000001', '00000002'],
        insert_failed: ['00000000', '0000001f'],
        icmp_error: ['00000063', '00000063'],
      }),
    });
    expect(await pageWith()).toEqual([65530, 65536, 0x10a, 3, 0x1f]);
  });

  test('each CPU counts over 2^32', async () => {
    const collector = createCollector(uplink, host);
    tree.write({ 'proc/net/stat/nf_conntrack': stat({ drop: ['fffffffe', 'ffffffff'] }) });
    expect((await pageWith(collector))[2]).toBe(2 ** 33 - 3);
    tree.write({ 'proc/net/stat/nf_conntrack': stat({ drop: ['00000001', 'ffffffff'] }) });
    expect((await pageWith(collector))[2]).toBe(2 ** 33);
  });

  test('CPUs that restart together did not wrap', async () => {
    const collector = createCollector(uplink, host);
    tree.write({ 'proc/net/stat/nf_conntrack': stat({ drop: ['ffffff00', 'fffffe00'] }) });
    const before = (await pageWith(collector))[2]!;
    tree.write({ 'proc/net/stat/nf_conntrack': stat({ drop: ['00000001', '00000002'] }) });
    expect((await pageWith(collector))[2]).toBe(before + 3);
  });

  test('absent where nothing tracks connections', async () => {
    expect(await pageWith()).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  test('a broken file costs its own series only', async () => {
    const before = await pageWith();
    tree.write({ 'proc/net/stat/nf_conntrack': captured.replace('early_drop', 'late_drop') });
    expect(await pageWith()).toEqual([...before.slice(0, 2), undefined, undefined, undefined]);
  });
});

describe('Open vSwitch', () => {
  const program = '/usr/bin/ovs-appctl';
  const captured = readText('xl/ovs-appctl-dpctl-show');
  /** The host with this ovs-appctl. */
  const withOvs = (run: (command: Command) => string): Host => ({
    ...host,
    commands: {
      ...host.commands,
      find: (name) => (name === 'ovs-appctl' ? program : host.commands.find(name)),
      run: async (command) => ({ stdout: run(command), complaint: '' }),
    },
  });
  const lostOf = async (collector: ReturnType<typeof createCollector>): Promise<unknown[]> => {
    const samples = (await collect(collector, host)).samples('xen_ovs_lost_packets_total');
    return samples.map(({ labels, value }) => [labels['datapath'], value]);
  };

  test('is asked once its datapath has a device, for what each datapath lost', async () => {
    const asked: string[] = [];
    const printing = withOvs(({ file, args }) => {
      asked.push([file, ...args].join(' '));
      return captured.replace('missed:3 lost:0', 'missed:3 lost:17');
    });
    const collector = createCollector(uplink, printing);
    expect(await runBackground([collector])).toEqual([]);
    expect([asked, await lostOf(collector)]).toEqual([[], []]);
    tree.write({ 'sys/class/net/ovs-system/ifindex': '9\n' });
    await runBackground([collector]);
    expect(asked).toEqual([`${program} dpctl/show`]);
    expect(await lostOf(collector)).toEqual([
      ['netdev@ovs-netdev', 17],
      ['dummy@ovs-dummy', 0],
    ]);
    rmSync(tree.path('sys/class/net/ovs-system'), { recursive: true });
    await runBackground([collector]);
    expect([asked.length, await lostOf(collector)]).toEqual([1, []]);
  });

  test('where it fails what it said before serves for three periods, and the cards are there all the same', async () => {
    tree.write({ 'sys/class/net/ovs-system/ifindex': '9\n' });
    let isRunning = true;
    const failing = withOvs(() => {
      if (isRunning) return captured;
      throw new CommandError(`${program} dpctl/show: exit status 1`);
    });
    const collector = createCollector(uplink, failing);
    await runBackground([collector]);
    isRunning = false;
    expect(await runBackground([collector])).toEqual([new CommandError(`${program} dpctl/show: exit status 1`)]);
    host.clock.advance(45);
    expect(await lostOf(collector)).toHaveLength(2);
    host.clock.advance(1);
    expect(await lostOf(collector)).toEqual([]);
    expect((await collect(collector, host)).samples('xen_uplink_receive_missed_total')).toHaveLength(1);
  });

  test('without ovs-appctl there is nothing to ask', () => {
    expect(createCollector(uplink, host).background).toBeUndefined();
  });
});

describe('connection tracking', () => {
  const conntrack = {
    'proc/sys/net/netfilter/nf_conntrack_count': '64\n',
    'proc/sys/net/netfilter/nf_conntrack_max': '64\n',
  };

  test('of a guest without a network card of its own', async () => {
    using guest = new TempTree();
    cpSync(guestRoot('pv-storm'), guest.root, { recursive: true });
    const guestHost = fakeHost(guest.root);
    expect(whyAbsent(createCollector(uplink, guestHost))).toMatch(/^no network card in .*no connection tracking/);
    guest.write(conntrack);
    const collector = createCollector(uplink, guestHost);
    expect(collector.availability()).toBe(true);
    expect((await collect(collector, guestHost)).value('xen_conntrack_entries', {})).toBe(64);
  });

  test('a kernel that does not say its drops is a limitation', () => {
    rmSync(tree.path('proc/net/stat/nf_conntrack'), { force: true });
    tree.write(conntrack);
    expect(createCollector(uplink, host).limitations!()).toMatch(
      /^drops of connection tracking: .*nf_conntrack does not exist/,
    );
  });
});
