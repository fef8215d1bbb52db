import type { Growth } from './accumulator.ts';
import type { Descriptor } from './descriptor.ts';
import type { Families } from './families.ts';
import type { Labels } from './labels.ts';

/**
 * A metric each of whose series is fed by any number of kernel counters, one after another or at once: the queues of a vif, a guest's device
 * before and after a reboot, a guest's device and that of its stub domain. A series grows by what its sources grow by, so it never goes down
 * when one of them restarts or goes away. It begins at what they read first.
 */
export class SummedCounter<Label extends string> {
  readonly #descriptor: Descriptor<Label>;
  readonly #growth: Growth;
  readonly #sources = new Map<string, Fed>();
  readonly #totals = new Map<Labels<Label>, Fed>();
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
    const state = fedIn(this.#sources, source, this.#round);
    const grown = this.#growth(state.value, now);
    state.value = now;
    return grown;
  }

  /** Adds to a series, in the kernel's unit. */
  add(labels: Labels<Label>, growth: number): void {
    fedIn(this.#totals, labels, this.#round).value += growth;
  }

  /**
   * Adds a sample for each series that was fed since the last call to `out`, where there is one, and forgets sources and series that were not fed.
   * `unit` turns the kernel's unit into the metric's.
   */
  flush(out: Families | undefined, unit = (value: number): number => value): void {
    keepRound(this.#sources, this.#round);
    keepRound(this.#totals, this.#round);
    for (const [labels, { value }] of this.#totals) out?.add(this.#descriptor, labels, unit(value));
    this.#round += 1;
  }
}

/** A number, and the round in which it was last heard of. */
interface Fed {
  value: number;
  round: number;
}

const fedIn = <Key>(all: Map<Key, Fed>, key: Key, round: number): Fed => {
  const known = all.get(key);
  if (known) {
    known.round = round;
    return known;
  }
  const state = { value: 0, round };
  all.set(key, state);
  return state;
};

const keepRound = <Key>(all: Map<Key, Fed>, round: number): void => {
  for (const [key, state] of all) if (state.round !== round) all.delete(key);
};
