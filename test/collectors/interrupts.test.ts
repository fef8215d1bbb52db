import { beforeEach, afterEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { eventSource, netbackQueue, netfrontQueue } from '../../src/sources/event-source.ts';
import { interrupts } from '../../src/collectors/interrupts.ts';
import type { Host } from '../../src/host/host.ts';
import { collect, createCollector, resetsOf, skippedBy, whyAbsent } from '../../tools/lib/collect.ts';
import { fakeClock, fakeHost, TempTree } from '../../tools/lib/fake-host.ts';

let tree: TempTree;
let clock: ReturnType<typeof fakeClock>;
let host: Host;
let collector: Collector;
beforeEach(() => {
  tree = new TempTree();
  clock = fakeClock();
  host = fakeHost(tree.root, { clock });
  tree.write({ 'sys/hypervisor/type': 'xen\n', 'sys/bus/xen/devices/vif-0/net/eth0/ifindex': '2\n' });
  collector = createCollector(interrupts, host);
});
afterEach(() => tree[Symbol.dispose]());

/** Writes rows below a header of these CPUs and collects. */
const reading = (cpus: readonly number[], ...rows: string[]) => {
  const header = cpus.map((cpu) => `CPU${cpu}`.padEnd(11)).join('');
  tree.write({ 'proc/interrupts': ['           ' + header, ...rows, ''].join('\n') });
  return collect(collector, host);
};
const rx = (counts: string, number = 17) => ` ${number}: ${counts}  xen-dyn-lateeoi    -event     vif0-q0-rx`;
const rxTotal = { vif: '0', queue: '0', ring: 'rx' };
const netfront = (cpu: number) => ({ cpu: String(cpu), source: 'netfront' });

test('counts that wrap at 2^32 go on', async () => {
  await reading([0, 1], rx('4294967290 7'));
  const page = await reading([0, 1], rx('4 9'));
  expect(page.value('xen_netfront_interrupts_total', rxTotal)).toBe(2 ** 32 + 4 + 9);
  expect(page.value('xen_cpu_events_total', netfront(0))).toBe(2 ** 32 + 4);
  expect(page.value('xen_cpu_events_total', netfront(1))).toBe(9);
});

test('a device that is reconnected counts on from where it was', async () => {
  await reading([0], rx('5000'));
  const page = await reading([0], rx('3'));
  expect(page.value('xen_netfront_interrupts_total', rxTotal)).toBe(5003);
});

test('rows of a device that restarted are not taken for wraps, whatever they had counted', async () => {
  const rows = (count: number): string[] =>
    ['q0-tx', 'q0-rx', 'q1-tx', 'q1-rx'].map(
      (name, i) => ` ${17 + i}: ${count} 0  xen-dyn-lateeoi    -event     vif0-${name}`,
    );
  await reading([0, 1], ...rows(2 ** 32 - 1000), ' 30: 2000000000 0  xen-dyn  -event  xenbus');
  const page = await reading([0, 1], ...rows(5), ' 30: 2000000009 0  xen-dyn  -event  xenbus');
  expect(page.value('xen_netfront_interrupts_total', rxTotal)).toBe(2 ** 32 - 1000 + 5);
  expect(page.value('xen_cpu_events_total', netfront(0))).toBe(4 * (2 ** 32 - 1000 + 5));
  expect(page.value('xen_cpu_events_total', { cpu: '0', source: 'xenbus' })).toBe(2_000_000_009);
  expect(resetsOf(collector)).toBe(4);
  const later = await reading([0, 1], ...rows(1000), ' 30: 2000000009 0  xen-dyn  -event  xenbus');
  expect(later.value('xen_netfront_interrupts_total', rxTotal)).toBe(2 ** 32 - 1000 + 1000);
});

test('a count that no CPU can have reached adds nothing', async () => {
  await reading([0], rx('5000'));
  const page = await reading([0], rx('4000000000'));
  expect(page.value('xen_netfront_interrupts_total', rxTotal)).toBe(5000);
  await reading([0], rx('4000000000'));
  const back = await reading([0], rx('5010'));
  expect(back.value('xen_netfront_interrupts_total', rxTotal)).toBe(5010);
  expect((await reading([0], rx('5020'))).value('xen_netfront_interrupts_total', rxTotal)).toBe(5020);
  expect(resetsOf(collector)).toBe(1);
});

test('a count that stands where it cannot be may grow by no more than in the time since it was read last', async () => {
  await reading([0], rx('5000'));
  await reading([0], rx('1000000000'));
  clock.advance(15);
  expect((await reading([0], rx('1000000001'))).value('xen_netfront_interrupts_total', rxTotal)).toBe(5001);
  for (let i = 0; i < 40; i += 1) {
    clock.advance(15);
    await reading([0], rx('1000000001'));
  }
  clock.advance(15);
  expect((await reading([0], rx('3000000000'))).value('xen_netfront_interrupts_total', rxTotal)).toBe(5001);
  expect(resetsOf(collector)).toBe(2);
});

test('a count that restarted while it showed nonsense counts, also on its way past where it was before', async () => {
  const total = async (count: number) => {
    clock.advance(15);
    return (await reading([0], rx(String(count)))).value('xen_netfront_interrupts_total', rxTotal);
  };
  expect([await total(1e6), await total(3e9), await total(100)]).toEqual([1e6, 1e6, 1e6]);
  expect(await total(200)).toBe(1e6 + 100);
  expect(await total(2e6)).toBe(1e6 + 100 + (2e6 - 200));
});

test('a number that another device got is another row: what a CPU handled never goes down', async () => {
  await reading([0], rx('5000'), ' 18: 100  xen-dyn  -event  xenbus');
  const page = await reading([0], ' 17: 7  xen-dyn  -event  xenbus');
  expect(page.value('xen_netfront_interrupts_total', rxTotal)).toBeUndefined();
  expect(page.value('xen_cpu_events_total', netfront(0))).toBe(5000);
  expect(page.value('xen_cpu_events_total', { source: 'xenbus' })).toBe(107);
});

test('a CPU that goes and comes back: its column moves, its counts go on', async () => {
  await reading([0, 1, 2], rx('10 20 30'));
  const without = await reading([0, 2], rx('11 31'));
  expect(without.samples('xen_cpu_events_total').map(({ labels, value }) => [labels['cpu'], value])).toEqual([
    ['0', 11],
    ['2', 31],
  ]);
  const back = await reading([0, 1, 2], rx('11 25 31'));
  expect(back.samples('xen_cpu_events_total').map(({ value }) => value)).toEqual([11, 25, 31]);
  expect(back.value('xen_netfront_interrupts_total', rxTotal)).toBe(11 + 25 + 31);
});

test('a row that restarts after a pause in which it could have wrapped has restarted', async () => {
  await reading([0], ' 17: 1000  xen-dyn  -event  hvc_console');
  clock.advance(900);
  const page = await reading([0], ' 17: 5  xen-dyn  -event  hvc_console');
  expect(page.value('xen_cpu_events_total', { source: 'console' })).toBe(1005);
});

test('rows beside one that cannot be parsed are counted once', async () => {
  for (let i = 0; i < 5; i += 1) await reading([0], rx('4708'), 'garbage');
  expect(skippedBy(collector)).toMatchObject({ items: 1 });
  const page = await reading([0], rx('4710'));
  expect(page.value('xen_netfront_interrupts_total', rxTotal)).toBe(4710);
  expect(page.value('xen_cpu_events_total', netfront(0))).toBe(4710);
});

test('a physical interrupt that loses its action, regains it, and is shared is counted once', async () => {
  const row = (count: number, action: string) => ` 30: ${count}  xen-pirq    -ioapic-level  ${action}`;
  for (const [count, action] of [
    [5e6, 'eth1'],
    [5e6 + 1, ''],
    [5e6 + 2, 'eth1'],
    [5e6 + 3, 'eth1, foo'],
    [5e6 + 4, 'foo'],
  ] as const) {
    const page = await reading([0], row(count, action), rx('1'));
    if (action !== '') expect(page.value('xen_cpu_events_total', { source: 'other' })).toBe(count);
  }
});

test('a number that another device got counts from 0, also if it has counted more already', async () => {
  await reading([0], rx('5000'));
  const page = await reading([0], ' 17: 6000  xen-dyn  -event  xenbus');
  expect(page.value('xen_cpu_events_total', { source: 'xenbus' })).toBe(6000);
});

test('a physical interrupt that got the number of an event counts from 0', async () => {
  await reading([0], rx('5000'));
  const page = await reading([0], ' 17: 6000  xen-pirq    -msi-x     eth1-TxRx-0');
  expect(page.value('xen_cpu_events_total', { source: 'other' })).toBe(6000);
});

test('upcalls of several CPUs may wrap between two scrapes: they never restart', async () => {
  const upcalls = async (...counts: number[]) => {
    clock.advance(15);
    const page = await reading([0, 1], `HYP: ${counts.join(' ')}   Hypervisor callback interrupts`);
    return page.samples('xen_cpu_callbacks_total').map(({ value }) => value);
  };
  expect(await upcalls(2 ** 32 - 100_000, 2 ** 32 - 90_000)).toEqual([2 ** 32 - 100_000, 2 ** 32 - 90_000]);
  expect(await upcalls(50_000, 60_000)).toEqual([2 ** 32 + 50_000, 2 ** 32 + 60_000]);
  expect(resetsOf(collector)).toBe(0);
});

test('upcalls are counted apart from events', async () => {
  const page = await reading([0, 1], rx('1 2'), 'HYP: 3 4   Hypervisor callback interrupts', 'ERR: 0');
  expect(page.samples('xen_cpu_callbacks_total').map(({ value }) => value)).toEqual([3, 4]);
});

test.each([
  [' 17: 5  xen-dyn -event x\n', 'a header of CPUs ("CPU0 CPU1 ...")'],
  ['           CPU0\n 17: 5  xen-dyn -ev', 'a line end at the end of the file'],
  ['           CPU0\n garbage\n', 'a row that begins with "NAME:"'],
])('a broken file is an error that names it: %j', async (text, expected) => {
  tree.write({ 'proc/interrupts': text });
  await expect(collect(collector, host)).rejects.toThrow(
    `${tree.path('proc/interrupts')}: expected ${expected}, found `,
  );
});

test('off Xen it says why it has nothing', () => {
  tree.write({ 'sys/hypervisor/type': 'kvm\n' });
  expect(whyAbsent(createCollector(interrupts, host))).toBe(
    `this kernel does not run on Xen (${tree.path('sys/hypervisor/type')} does not contain "xen")`,
  );
});

describe('names of event channels', () => {
  const renamed = { class: 'vif', domid: 7, device: '1', name: 'vif-7-1', folder: '', netDevice: 'web-q1' };
  const devices = { frontends: new Map([['eth0', '0']]), backends: new Map([['web-q1', renamed]]) };
  test.each([
    ['ipi', 'resched0', 'ipi'],
    ['virq', 'timer3', 'timer'],
    ['virq', 'debug0', 'other'],
    ['event', 'vif0-q1-tx', 'netfront'],
    ['event', 'eth0-q1-tx', 'netfront'],
    ['event', 'eth0', 'netfront'],
    ['event', 'vif12.1-q0-rx', 'netback'],
    ['event', 'vif12.1-q0', 'netback'],
    ['event', 'vif12.1', 'netback'],
    ['event', 'web-q1-q0-tx', 'netback'],
    ['event', 'xen-netback-ctrl', 'netback'],
    ['event', 'blkif', 'blkfront'],
    ['event', 'blkif-backend', 'blkback'],
    ['event', 'hvc_console', 'console'],
    ['event', 'xenbus', 'xenbus'],
    ['event', 'evtchn:xenstored', 'other'],
    ['event', 'constructor', 'other'],
    ['ioapic-edge', 'i8042', 'other'],
  ])('%s %s is %s', (kind, action, source) => expect(eventSource(kind, action, devices)).toBe(source));

  test.each([
    ['vif3-q1-rx', { vif: '3', queue: '1', ring: 'rx' }],
    ['eth0-q7-tx', { vif: '0', queue: '7', ring: 'tx' }],
    ['eth0', { vif: '0', queue: '0', ring: 'shared' }],
    ['eth9-q0-rx', undefined],
    ['vif3.0-q1-rx', undefined],
  ])('%s', (action, queue) => expect(netfrontQueue(action, devices)).toEqual(queue));

  test.each([
    ['web-q1-q3-tx', { vif: renamed, queue: '3', ring: 'tx' }],
    ['web-q1-q3', { vif: renamed, queue: '3', ring: 'shared' }],
    ['web-q1-rx', { vif: renamed, queue: '0', ring: 'rx' }],
    ['web-q1', { vif: renamed, queue: '0', ring: 'shared' }],
    ['web-q2-q3-tx', undefined],
  ])('%s', (action, queue) => expect(netbackQueue(action, devices)).toEqual(queue));
});
