import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startSampler } from '../../src/scrape/sampler.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

// The wait for this random number is the mean.
const meanWait = 1 - Math.exp(-1);

/** Runs a sampler for `seconds` of pretended time. Each sample costs `cost` CPU seconds, and each wake-up `wakeUp`. */
const runFor = async (
  seconds: number,
  spec: {
    hertz: number;
    cpuBudget: number;
    cost: number;
    wakeUp?: number;
    random?: () => number;
    sample?: (seconds: number) => boolean;
  },
) => {
  let samples = 0;
  let isSampling = false;
  let cpu = 0;
  const clock = {
    monotonicSeconds: () => {
      // The first thing that a sampler does when it wakes up.
      if (!isSampling) cpu += spec.wakeUp ?? 0;
      return performance.now() / 1e3;
    },
    wallSeconds: () => 0,
    cpuSeconds: () => cpu,
  };
  const sample = (standsFor: number) => {
    samples += 1;
    isSampling = true;
    cpu += spec.cost;
    try {
      return spec.sample?.(standsFor) ?? true;
    } finally {
      isSampling = false;
    }
  };
  const sampler = startSampler({ name: 'test', ...spec, sample }, clock, spec.random ?? (() => meanWait));
  await vi.advanceTimersByTimeAsync(seconds * 1e3);
  sampler[Symbol.dispose]();
  expect(sampler.state.samples).toBe(samples);
  return sampler.state;
};

test('samples at the wanted rate if the budget allows', async () => {
  const state = await runFor(10, { hertz: 20, cpuBudget: 0.005, cost: 0.0001 });
  expect(state.samples).toBeGreaterThan(195);
  expect(state.samples).toBeLessThan(205);
  expect(state).toMatchObject({ skipped: 0, error: undefined });
  expect(state.cpuSeconds).toBeCloseTo(state.samples * 0.0001, 6);
});

test('slows down to its budget and counts what it did not take', async () => {
  const state = await runFor(1000, { hertz: 20, cpuBudget: 0.005, cost: 0.005 });
  expect(state.cpuSeconds / 1000).toBeLessThan(0.0055);
  expect(state.cpuSeconds / 1000).toBeGreaterThan(0.004);
  expect(state.samples + state.skipped).toBeGreaterThan(19_900);
  expect(state.samples + state.skipped).toBeLessThan(20_100);
});

test('what it takes to wake up counts against the budget, but a scrape in between does not', async () => {
  const ofWakeUps = await runFor(1000, { hertz: 20, cpuBudget: 0.01, cost: 0.0001, wakeUp: 0.0009 });
  expect(ofWakeUps.samples).toBeGreaterThan(9_000);
  expect(ofWakeUps.samples).toBeLessThan(11_000);
  const beside = await runFor(100, { hertz: 20, cpuBudget: 0.04, cost: 0, wakeUp: 0.2 });
  expect(beside.samples).toBeGreaterThan(1900);
});

test('about one sample a second while nothing moves, the full rate as soon as something does', async () => {
  const quiet = await runFor(100, { hertz: 20, cpuBudget: 1, cost: 0, sample: () => false });
  expect(quiet.samples).toBeGreaterThan(98);
  expect(quiet.samples).toBeLessThan(103);
  expect(quiet.skipped).toBe(0);
  let calls = 0;
  const moving = await runFor(11, { hertz: 20, cpuBudget: 1, cost: 0, sample: () => (calls += 1) > 5 });
  // Five at one a second, then six seconds at the full rate.
  expect(moving.samples).toBeGreaterThan(115);
  expect(moving.samples).toBeLessThan(145);
});

test('a rate below one a second stays as it is while nothing moves', async () => {
  const state = await runFor(100, { hertz: 0.5, cpuBudget: 1, cost: 0, sample: () => false });
  expect(state.samples).toBeGreaterThan(48);
  expect(state.samples).toBeLessThan(52);
});

test('samples stand for the mean wait, together for the time that passes', async () => {
  const weights: number[] = [];
  const randoms = [0.1, 0.9, 0.5, 0.99];
  let i = 0;
  const random = () => randoms[i++ % randoms.length]!;
  const sample = (seconds: number): boolean => weights.push(seconds) > 0;
  await runFor(100, { hertz: 20, cpuBudget: 1, cost: 0, random, sample });
  expect(weights[0]).toBeCloseTo(0.05, 2);
  const sum = weights.reduce((all, each) => all + each, 0);
  expect(sum).toBeGreaterThan(99);
  expect(sum).toBeLessThan(101);
});

test('continues after a sample that failed, and has its error until one succeeds', async () => {
  let calls = 0;
  const failing = await runFor(2.5, {
    hertz: 20,
    cpuBudget: 1,
    cost: 0,
    sample: () => {
      calls += 1;
      throw new Error('no netlink');
    },
  });
  expect(calls).toBe(3);
  expect(failing.error?.message).toBe('no netlink');
});
