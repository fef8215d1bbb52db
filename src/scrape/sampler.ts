import type { SamplerTask } from '../collectors/collector.ts';
import type { Clock } from '../host/clock.ts';

/** Achievements of a sampler, and the error of its last sample if that failed. */
export interface SamplerState {
  samples: number;
  skipped: number;
  cpuSeconds: number;
  error: Error | undefined;
}

export type RunningSampler = Disposable & { readonly name: string; readonly state: SamplerState };

// How much one sample's cost weighs in the running mean.
const costWeight = 0.1;

/**
 * Takes samples until it is disposed of. The time between two is random, from half to one and a half times the mean, so that no server that
 * works in step with the clock is always met at the same point of its round. Where a sample costs more than the budget allows at the wanted
 * rate, the mean time between samples grows until it fits.
 */
export const startSampler = (task: SamplerTask, clock: Clock, random: () => number = Math.random): RunningSampler => {
  const state: SamplerState = { samples: 0, skipped: 0, cpuSeconds: 0, error: undefined };
  const wantedSeconds = 1 / task.hertz;
  let meanCost = 0;
  let last = clock.monotonicSeconds();
  let timer: NodeJS.Timeout;

  const tick = (): void => {
    const now = clock.monotonicSeconds();
    state.skipped += Math.max(0, Math.round((now - last) / wantedSeconds) - 1);
    last = now;
    const before = clock.cpuSeconds();
    try {
      task.sample();
      state.error = undefined;
    } catch (error) {
      state.error = error as Error;
    }
    const cost = clock.cpuSeconds() - before;
    state.samples += 1;
    state.cpuSeconds += cost;
    meanCost += costWeight * (cost - meanCost);
    schedule();
  };
  const schedule = (): void => {
    const meanSeconds = Math.max(wantedSeconds, meanCost / task.cpuBudget);
    timer = setTimeout(tick, meanSeconds * (0.5 + random()) * 1e3).unref();
  };

  schedule();
  return { name: task.name, state, [Symbol.dispose]: () => clearTimeout(timer) };
};
