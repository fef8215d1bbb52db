import { runStates, type RunState } from '../../formats/xentrace.ts';
import { Histogram } from '../../metrics/histogram.ts';
import type { Interval } from './intervals.ts';
import { waitBounds } from './metrics.ts';

/** Time of a domain's vCPUs in each state, in seconds. */
export class RunStateTotals {
  readonly seconds: Record<RunState, number> = { running: 0, runnable: 0, blocked: 0, offline: 0 };
  readonly wakeDelay = new Histogram(waitBounds);
  readonly preemptedWait = new Histogram(waitBounds);

  add({ state, cycles, before, after }: Interval, hertz: number): void {
    const seconds = cycles / hertz;
    this.seconds[state] += seconds;
    if (state !== 'runnable' || after !== 'running') return;
    if (before === 'blocked') this.wakeDelay.observe(seconds);
    if (before === 'running') this.preemptedWait.observe(seconds);
  }

  addAll(other: RunStateTotals): void {
    for (const state of runStates) this.seconds[state] += other.seconds[state];
    this.wakeDelay.addAll(other.wakeDelay);
    this.preemptedWait.addAll(other.preemptedWait);
  }
}
