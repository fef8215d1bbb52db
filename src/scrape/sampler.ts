import type { SamplerTask } from '../collectors/collector.ts';
import type { Clock } from '../host/clock.ts';
import { Pace } from './pace.ts';

/** Achievements of a sampler, and the error of its last sample if that failed. */
export interface SamplerState {
  samples: number;
  /** Samples at the rate that activity asked for which were not taken. */
  skipped: number;
  cpuSeconds: number;
  error: Error | undefined;
}

export type RunningSampler = Disposable & { readonly name: string; readonly state: SamplerState };

// How much one sample's cost weighs in the running mean.
const costWeight = 0.1;
// CPU time between two samples that is counted as the cost of waking up, at most. What takes longer is other work, such
// as a scrape.
const mostOfWakeUp = 0.002;

/**
 * Takes samples until it is disposed of, at random times, so that no server that works in step with the clock is always
 * met at the same point of its round. The cost of a sample is all CPU time since the one before, because to wake up
 * costs the process more than to read. If samples at the wanted rate cost more than the budget allows, they become
 * rarer.
 */
export const startSampler = (task: SamplerTask, clock: Clock, random?: () => number): RunningSampler => {
  const state: SamplerState = { samples: 0, skipped: 0, cpuSeconds: 0, error: undefined };
  const pace = new Pace(task.hertz, random);
  let meanCost = 0;
  let missed = 0;
  let last = clock.monotonicSeconds();
  let cpuAtEnd = clock.cpuSeconds();
  let timer: NodeJS.Timeout;

  const attempt = (seconds: number): boolean => {
    try {
      const isActive = task.sample(seconds);
      state.error = undefined;
      return isActive;
    } catch (error) {
      state.error = error as Error;
      return false;
    }
  };
  const tick = (): void => {
    const now = clock.monotonicSeconds();
    const cpuAtBegin = clock.cpuSeconds();
    const elapsed = now - last;
    last = now;
    missed += pace.missedAfter(elapsed);
    const isActive = attempt(pace.secondsAfter(elapsed));
    const cpuBefore = cpuAtEnd;
    cpuAtEnd = clock.cpuSeconds();
    const cost = Math.min(cpuAtBegin - cpuBefore, mostOfWakeUp) + cpuAtEnd - cpuAtBegin;
    state.samples += 1;
    state.skipped = Math.max(state.skipped, Math.floor(missed));
    state.cpuSeconds += cost;
    meanCost += costWeight * (cost - meanCost);
    schedule(isActive);
  };
  const schedule = (isActive: boolean): void => {
    timer = setTimeout(tick, pace.nextWait(isActive, meanCost / task.cpuBudget) * 1e3).unref();
  };

  schedule(true);
  return { name: task.name, state, [Symbol.dispose]: () => clearTimeout(timer) };
};
