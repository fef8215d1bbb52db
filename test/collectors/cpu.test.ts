import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { cpu } from '../../src/collectors/cpu.ts';
import { collect, createCollector, resetsOf } from '../../tools/lib/collect.ts';
import { fakeClock, fakeHost, TempTree } from '../../tools/lib/fake-host.ts';

let tree: TempTree;
let collector: Collector;
let secondsOf: (mode: 'iowait' | 'steal', ticks: number | string, pause?: number) => Promise<number | undefined>;
beforeEach(() => {
  tree = new TempTree();
  const clock = fakeClock();
  const host = fakeHost(tree.root, { clock });
  collector = createCollector(cpu, host);
  // Total of a mode after the kernel has printed these ticks, `pause` seconds after the previous reading.
  secondsOf = async (mode, ticks, pause = 15) => {
    clock.advance(pause);
    const ofCpu = `2000 0 3000 90000 ${mode === 'iowait' ? ticks : 400} 0 50 ${mode === 'steal' ? ticks : 700} 0 0`;
    tree.write({ 'proc/stat': `cpu  ${ofCpu}\ncpu0 ${ofCpu}\nintr 1\n` });
    return (await collect(collector, host)).value('xen_cpu_seconds_total', { cpu: '0', mode });
  };
});
afterEach(() => tree[Symbol.dispose]());

test('iowait that moves a tick up and back grows by one tick', async () => {
  expect(await secondsOf('iowait', 548_281)).toBe(5482.81);
  for (let i = 0; i < 20; i += 1) {
    expect(await secondsOf('iowait', 548_282, 0.01)).toBe(5482.82);
    expect(await secondsOf('iowait', 548_281, 0.01)).toBe(5482.82);
  }
  expect(resetsOf(collector)).toBe(0);
});

test('iowait of five seconds that the kernel takes back again and again is counted once', async () => {
  await secondsOf('iowait', 548_282);
  for (let i = 0; i < 6; i += 1) {
    expect(await secondsOf('iowait', 548_782)).toBe(5487.82);
    expect(await secondsOf('iowait', 548_282)).toBe(5487.82);
  }
  expect(await secondsOf('iowait', 548_802)).toBe(5488.02);
});

test('steal that underflows and counts down from there adds nothing; the counter continues where it was', async () => {
  expect(await secondsOf('steal', 58_059)).toBe(580.59);
  for (const absurd of [1_504_706_785_701, 1_481_358_336_740, 1_461_300_076_681]) {
    expect(await secondsOf('steal', absurd)).toBe(580.59);
  }
  expect(await secondsOf('steal', 58_159)).toBe(581.59);
  expect(await secondsOf('steal', 58_259)).toBe(582.59);
  for (let i = 0; i < 3; i += 1) expect(await secondsOf('steal', '1844674407370955161')).toBe(582.59);
  expect(await secondsOf('steal', 58_459)).toBe(584.59);
  expect(await secondsOf('steal', 58_559)).toBe(585.59);
  expect(resetsOf(collector)).toBe(4);
});
