import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BackgroundTask } from '../../src/sources/background-task.ts';
import { Background } from '../../src/scrape/background.ts';
import { fakeClock } from '../../tools/lib/fake-host.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const yearly = { cron: '0 0 1 1 *' };

/** A task that fails this many times before it succeeds. */
const failing = (times: number) => {
  const task = {
    runs: 0,
    every: yearly,
    run: async () => {
      task.runs += 1;
      if (task.runs <= times) throw new Error('not up yet');
    },
  };
  return task satisfies BackgroundTask;
};

test('what runs by a pattern and fails is tried again soon, until it succeeds', async () => {
  const task = failing(2);
  const background = new Background(fakeClock());
  background.start(task);
  await vi.advanceTimersByTimeAsync(1000);
  expect(task.runs).toBe(1);
  expect(background.stateOf(task)?.error?.message).toBe('not up yet');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(task.runs).toBe(3);
  expect(background.stateOf(task)?.error).toBeUndefined();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(task.runs).toBe(3);
  background.stop();
});

test('what is stopped is not tried again', async () => {
  const task = failing(Infinity);
  const background = new Background(fakeClock());
  background.start(task);
  await vi.advanceTimersByTimeAsync(1000);
  background.stop();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(task.runs).toBe(1);
});

/**
 * Minutes (by the old time) at which a task with this pattern runs, within `minutes`. After one minute the clock is set
 * by `step` ms.
 */
const runsWithStep = async (pattern: string, step: number, minutes: number): Promise<number[]> => {
  vi.setSystemTime(new Date('2026-01-01T12:01:00Z'));
  const began = performance.now();
  const runs: number[] = [];
  const run = async () => void runs.push(Math.floor((performance.now() - began) / 60_000));
  const background = new Background(fakeClock());
  background.start({ every: { cron: pattern }, run });
  await vi.advanceTimersByTimeAsync(60_000);
  vi.setSystemTime(Date.now() + step);
  await vi.advanceTimersByTimeAsync((minutes - 1) * 60_000);
  background.stop();
  return runs;
};

test('a wall clock that is set back an hour does not stop what runs by a pattern', async () => {
  expect(await runsWithStep('*/5 * * * *', -3_600_000, 20)).toEqual([0, 4, 9, 14, 19]);
});

test('a wall clock that is set forward past the time of a run has it run soon, and once', async () => {
  expect(await runsWithStep('30 * * * *', 3_600_000, 20)).toEqual([0, 2]);
});
