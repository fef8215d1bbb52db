import { runStates, type RunState } from '../../formats/xentrace.ts';
import { Histogram } from '../../metrics/histogram.ts';
import type { Interval } from './intervals.ts';
import { waitBounds } from './metrics.ts';

/** What the vCPUs of a domain did, in seconds. */
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

// A guest that reboots is back within a few windows.
const windowsRemembered = 60;

interface Remembered {
  readonly totals: RunStateTotals;
  /** Windows since the domain was last on the list. */
  missed: number;
}

const age = <Key>(all: Map<Key, Remembered>): void => {
  for (const [key, entry] of all) {
    entry.missed += 1;
    if (entry.missed > windowsRemembered) all.delete(key);
  }
};

/**
 * Totals by the name of the domain, so that they go on when a guest reboots and has another domid. What is seen of a domain before its name is
 * known is kept until it is.
 */
export class NamedTotals {
  readonly #byName = new Map<string, Remembered>();
  readonly #unnamed = new Map<number, Remembered>();

  /** Adds what a window showed of each domain, by domid. */
  add(window: ReadonlyMap<number, RunStateTotals>): void {
    age(this.#byName);
    age(this.#unnamed);
    for (const [domid, totals] of window) {
      const known = this.#unnamed.get(domid);
      if (known) known.totals.addAll(totals);
      else this.#unnamed.set(domid, { totals, missed: 0 });
    }
  }

  /** The totals of the domains that there are now. `names`: by domid. */
  of(names: ReadonlyMap<number, string>): Map<string, RunStateTotals> {
    const current = new Map<string, RunStateTotals>();
    for (const [domid, name] of names) {
      const entry = this.#adopt(domid, name);
      if (!entry) continue;
      entry.missed = 0;
      current.set(name, entry.totals);
    }
    return current;
  }

  #adopt(domid: number, name: string): Remembered | undefined {
    const known = this.#byName.get(name);
    const fresh = this.#unnamed.get(domid);
    if (!fresh) return known;
    this.#unnamed.delete(domid);
    if (known) known.totals.addAll(fresh.totals);
    else this.#byName.set(name, fresh);
    return known ?? fresh;
  }
}
