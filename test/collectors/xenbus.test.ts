import { renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { xenbus } from '../../src/collectors/xenbus.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, resetsOf, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost, hostOf } from '../../tools/lib/hosts.ts';
import { addStubDomain } from '../support/stub-domain.ts';

const devices = 'sys/bus/xen-backend/devices';
const domu1 = { domain: 'domu1', class: 'vif', device: '0' };

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
let collector: Collector;
beforeEach(async () => {
  ({ tree, host } = copyOfHost('credit-storm'));
  collector = createCollector(xenbus, host);
  await runBackground([collector]);
});
afterEach(() => tree[Symbol.dispose]());

/** The vif's `events` counter of domu1 in the collector's output. */
const events = async (): Promise<number | undefined> =>
  (await collect(collector, host)).value('xen_backend_events_total', domu1);

const writeEvents = (printed: string): TempTree => tree.write({ [`${devices}/vif-1-0/xenbus/events`]: printed });

describe('counters of 32 bits', () => {
  test('are printed negative from 2^31 on, and go on over 2^32', async () => {
    writeEvents('-5\n');
    expect(await events()).toBe(4294967291);
    writeEvents('3\n');
    expect(await events()).toBe(2 ** 32 + 3);
    // This many events take some time.
    host.clock.advance(500);
    writeEvents('2147483647\n');
    expect(await events()).toBe(2 ** 32 + 2147483647);
    writeEvents('-2147483648\n');
    expect(await events()).toBe(2 ** 32 + 2 ** 31);
  });

  test('a device of which more than one counter goes back was made anew: none has wrapped', async () => {
    const all = async (count: number): Promise<(number | undefined)[]> => {
      host.clock.advance(15);
      writeEvents(`${count | 0}\n`).write({ [`${devices}/vif-1-0/xenbus/spurious_events`]: `${count | 0}\n` });
      const page = await collect(collector, host);
      return ['events', 'spurious_events'].map((name) => page.value(`xen_backend_${name}_total`, domu1));
    };
    expect(await all(4.25e9)).toEqual([4.25e9, 4.25e9]);
    expect(await all(5)).toEqual([4.25e9 + 5, 4.25e9 + 5]);
    expect(await all(1000)).toEqual([4.25e9 + 1000, 4.25e9 + 1000]);
    expect(resetsOf(collector)).toBe(2);
  });

  test('a device that is reconnected begins at 0, and goes on here', async () => {
    expect(await events()).toBe(3711);
    writeEvents('4\n');
    expect(await events()).toBe(3715);
  });
});

describe('devices come and go', () => {
  test('one that vanished has no series until it is back, and goes on then', async () => {
    expect(await events()).toBe(3711);
    renameSync(tree.path(`${devices}/vif-1-0`), tree.path('away'));
    expect(await events()).toBeUndefined();
    renameSync(tree.path('away'), tree.path(`${devices}/vif-1-0`));
    writeEvents('9\n');
    expect(await events()).toBe(3711 + 9);
  });

  test("a guest that reboots has another domid, and its device's series goes on", async () => {
    expect(await events()).toBe(3711);
    renameSync(tree.path(`${devices}/vif-1-0`), tree.path(`${devices}/vif-9-0`));
    tree.write({
      [`${devices}/vif-9-0/xenbus/events`]: '9\n',
      'commands/xl list -v': readText('hosts/credit-storm/commands/xl list -v').replace(/^(domu1 +) 1 /m, '$1 9 '),
    });
    await runBackground([collector]);
    expect(await events()).toBe(3711 + 9);
  });

  test('one whose backend has not taken it on has no files and no series; the others have', async () => {
    rmSync(tree.path(`${devices}/vif-1-0/xenbus`), { recursive: true });
    const page = await collect(collector, host);
    expect(
      page.samples('xen_backend_events_total').map(({ labels, value }) => [...Object.values(labels), value]),
    ).toEqual([
      ['domu1', 'vbd', '51712', 559],
      ['domu2', 'vbd', '51712', 537],
      ['pvh1', 'vbd', '51712', 534],
      ['domu2', 'vif', '0', 246],
      ['pvh1', 'vif', '0', 140],
    ]);
    expect(collector.availability()).toBe(true);
  });
});

describe('whether it applies', () => {
  test('not on a kernel before Linux 5.12, which has no such files', () => {
    for (const device of ['vif-1-0', 'vif-2-0', 'vif-3-0', 'vbd-1-51712', 'vbd-2-51712', 'vbd-3-51712']) {
      rmSync(tree.path(`${devices}/${device}/xenbus`), { recursive: true });
    }
    expect(whyAbsent(collector)).toBe(
      `no bus/xen-backend/devices/vbd-1-51712/xenbus/events in ${tree.path('sys')}: Linux 5.12 and later, not on XCP-ng 8`,
    );
  });

  test('not where nothing but consoles is served, for their backends are programs', () => {
    for (const device of host.sysfs.list('bus/xen-backend/devices')) {
      if (!device.startsWith('console-')) rmSync(tree.path(`${devices}/${device}`), { recursive: true });
    }
    expect(whyAbsent(collector)).toBe(`no network or block device in ${tree.path(devices)}`);
  });
});

test('consoles and keyboards, whose backends count nothing, are left out', async () => {
  const hvm = hostOf('credit-hvm-idle');
  expect(hvm.sysfs.list('bus/xen-backend/devices').map((name) => name.split('-')[0])).toEqual(
    expect.arrayContaining(['console', 'vkbd']),
  );
  const onHvm = createCollector(xenbus, hvm);
  await runBackground([onHvm]);
  const samples = (await collect(onHvm, hvm)).samples('xen_backend_event_channels');
  expect(new Set(samples.map(({ labels }) => labels['class']))).toEqual(new Set(['vbd', 'vif']));
});

test('a domain whose name nobody knows has no series', async () => {
  const uninformed = createCollector(xenbus, host);
  expect((await collect(uninformed, host)).families.size).toBe(0);
  await runBackground([uninformed]);
  expect((await collect(uninformed, host)).samples('xen_backend_events_total')).toHaveLength(6);
});

test("a stub domain's events count for its guest, whose event channels are its own", async () => {
  addStubDomain(tree);
  await runBackground([collector]);
  const page = await collect(collector, host);
  expect(page.value('xen_backend_events_total', domu1)).toBe(3711 + 246);
  expect(page.value('xen_backend_event_channels', domu1)).toBe(4);
});

describe('delays are counted in jiffies', () => {
  const head = readText('linux-6.18/proc-timer_list-head');
  const after15Seconds = (hz: number): string =>
    head
      .replace('now at 1845955734205 nsecs', 'now at 1860955734205 nsecs')
      .replace('\njiffies: 4295353721\n', `\njiffies: ${4295353721 + 15 * hz}\n`);
  const delay = async () => (await collect(collector, host)).value('xen_backend_eoi_delay_seconds_total', domu1);

  test.each([
    [250, 6],
    [1000, 1.5],
  ])('of a kernel with HZ %i, once that is known', async (hz, seconds) => {
    tree.write({ [`${devices}/vif-1-0/xenbus/jiffies_eoi_delayed`]: '1500\n', 'proc/timer_list': head });
    expect(await delay()).toBeUndefined();
    expect(collector.limitations!()).toBe(
      'event delays: the kernel counts them in jiffies of unknown length (not measured yet, which takes two scrapes)',
    );
    tree.write({ 'proc/timer_list': after15Seconds(hz) });
    expect(await delay()).toBe(seconds);
    expect(collector.limitations!()).toBeUndefined();
  });

  test('where HZ cannot be known they are absent, all else is there', async () => {
    expect(await delay()).toBeUndefined();
    expect(await events()).toBe(3711);
    expect(collector.limitations!()).toBe(
      `event delays: the kernel counts them in jiffies of unknown length (${tree.path('proc/timer_list')}: ENOENT: no such file or directory)`,
    );
  });
});
