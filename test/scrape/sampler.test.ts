import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startSampler } from '../../src/scrape/sampler.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Runs a sampler for `seconds` of pretended time; each sample costs `cost` CPU seconds. */
const runFor = async (
  seconds: number,
  spec: { hertz: number; cpuBudget: number; cost: number; random?: () => number; sample?: () => void },
) => {
  let cpu = 0;
  const clock = {
    monotonicSeconds: () => performance.now() / 1e3,
    wallSeconds: () => 0,
    cpuSeconds: () => cpu,
  };
  const sample = () => {
    cpu += spec.cost;
    spec.sample?.();
  };
  const sampler = startSampler({ name: 'test', sample, ...spec }, clock, spec.random ?? (() => 0.5));
  await vi.advanceTimersByTimeAsync(seconds * 1e3);
  sampler[Symbol.dispose]();
  return sampler.state;
};

test('samples at the wanted rate where the budget allows', async () => {
  const state = await runFor(10, { hertz: 20, cpuBudget: 0.005, cost: 0.0001 });
  expect(state).toMatchObject({ samples: 200, skipped: 0, error: undefined });
  expect(state.cpuSeconds).toBeCloseTo(0.02, 6);
});

test('slows down to its budget and counts what it did not take', async () => {
  const state = await runFor(1000, { hertz: 20, cpuBudget: 0.005, cost: 0.005 });
  expect(state.cpuSeconds / 1000).toBeLessThan(0.0055);
  expect(state.cpuSeconds / 1000).toBeGreaterThan(0.004);
  expect(state.samples + state.skipped).toBeGreaterThan(19_900);
  expect(state.samples + state.skipped).toBeLessThan(20_100);
});

test('the time between samples is random, its mean the wanted one', async () => {
  const at: number[] = [];
  const randoms = [0, 1, 0.5, 0.5];
  let i = 0;
  const random = () => randoms[i++ % randoms.length]!;
  await runFor(1, { hertz: 20, cpuBudget: 1, cost: 0, random, sample: () => at.push(performance.now()) });
  const steps = at.slice(1).map((time, j) => Math.round(time - at[j]!));
  expect(steps.slice(0, 3)).toEqual([75, 50, 50]);
});

test('goes on after a sample that failed, and says so until one succeeds', async () => {
  let calls = 0;
  const failing = await runFor(0.12, {
    hertz: 20,
    cpuBudget: 1,
    cost: 0,
    sample: () => {
      calls += 1;
      throw new Error('no netlink');
    },
  });
  expect(calls).toBe(2);
  expect(failing.error?.message).toBe('no netlink');
});
