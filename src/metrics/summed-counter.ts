import type { Growth } from './accumulator.ts';
import type { Descriptor } from './descriptor.ts';
import type { Families } from './families.ts';
import type { Labels } from './labels.ts';

/**
 * A metric each of whose series is fed by any number of kernel counters, one after another or at once: the queues of a vif, a guest's device
 * before and after a reboot, a guest's device and that of its stub domain. A series grows by what its sources grow by, so it never goes down
 * when one of them restarts or goes away. It begins at what they read first. One that has no source for a while, as while a guest reboots, is
 * gone, and goes on from where it was.
 */
export class SummedCounter<Label extends string> {
  readonly #descriptor: Descriptor<Label>;
  readonly #growth: Growth;
  readonly #sources = new Map<string, Fed>();
  readonly #totals = new Map<Labels<Label>, Fed>();
  /** Totals of series that are gone, by the values of their labels. */
  readonly #gone = new Map<string, Fed>();
  /** Number of the flush to come. */
  #round = 0;

  constructor(descriptor: Descriptor<Label>, growth: Growth) {
    this.#descriptor = descriptor;
    this.#growth = growth;
  }

  /** Source `source` of the series `labels` reads `now`; undefined where it cannot be read. */
  feed(labels: Labels<Label>, source: string, now: number | undefined): void {
    if (now !== undefined) this.add(labels, this.growthOf(source, now));
  }

  /** What a source has grown by since it was read last, or its whole reading the first time. */
  growthOf(source: string, now: number): number {
    let state = this.#sources.get(source);
    if (!state) this.#sources.set(source, (state = { value: 0, round: 0 }));
    state.round = this.#round;
    const grown = this.#growth(state.value, now);
    state.value = now;
    return grown;
  }

  /** Adds to a series, in the kernel's unit. */
  add(labels: Labels<Label>, growth: number): void {
    let total = this.#totals.get(labels);
    if (!total) this.#totals.set(labels, (total = this.#takeGone(labels)));
    total.round = this.#round;
    total.value += growth;
  }

  /**
   * Adds a sample for each series that was fed since the last call to `out`, where there is one; sources and series that were not fed for many
   * calls are forgotten. `unit` turns the kernel's unit into the metric's.
   */
  flush(out: Families | undefined, unit = (value: number): number => value): void {
    this.#forget(this.#sources);
    this.#forget(this.#gone);
    for (const [labels, total] of this.#totals) {
      if (total.round === this.#round) {
        out?.add(this.#descriptor, labels, unit(total.value));
      } else {
        this.#totals.delete(labels);
        this.#gone.set(keyOf(labels), total);
      }
    }
    this.#round += 1;
  }

  /** The total of a series that is back under another label object, or of a new one. */
  #takeGone(labels: Labels<Label>): Fed {
    const key = keyOf(labels);
    const total = this.#gone.get(key) ?? { value: 0, round: 0 };
    this.#gone.delete(key);
    return total;
  }

  #forget(all: Map<string, Fed>): void {
    for (const [key, { round }] of all) if (round + roundsRemembered < this.#round) all.delete(key);
  }
}

/** A number, and the round in which it was last heard of. */
interface Fed {
  value: number;
  round: number;
}

// Enough for a guest to reboot between scrapes a second apart, and few enough that one long gone takes no memory.
const roundsRemembered = 60;

const keyOf = (labels: Labels): string => Object.values(labels).join('\0');
