/** How much a counter has grown between two readings. */
export type Growth = (last: number, now: number) => number;

const TWO_32 = 2 ** 32;

/**
 * Growth of an unsigned 32-bit kernel counter. A smaller reading is a wrap where that makes the step shorter than half the range; else the
 * counter began again at 0 (its device was reconnected) and all of `now` is growth.
 */
export const growthOfU32: Growth = (last, now) => {
  if (now >= last) return now - last;
  const wrapped = now + TWO_32 - last;
  return wrapped < TWO_32 / 2 ? wrapped : now;
};

/** Growth of a counter that the kernel may set back (CPU times across live migration): a step back is no growth. */
export const growthForwardOnly: Growth = (last, now) => Math.max(0, now - last);

/** Growth of a 64-bit kernel counter, which never wraps: a smaller reading is one that began again at 0. */
export const growthOfU64: Growth = (last, now) => (now >= last ? now - last : now);

/**
 * Counters that grow for as long as their series lives, made of kernel counters that wrap, restart or step back. A total begins at the first
 * reading, so that it equals what the kernel shows until the kernel's counter fails to grow.
 */
export class Accumulator<Key> {
  readonly #growth: Growth;
  #current = new Map<Key, { last: number; total: number }>();
  #previous = new Map<Key, { last: number; total: number }>();

  constructor(growth: Growth) {
    this.#growth = growth;
  }

  /** The total of the counter `key`, whose kernel counter reads `now`. */
  total(key: Key, now: number): number {
    const state = this.#current.get(key) ?? this.#previous.get(key) ?? { last: 0, total: 0 };
    state.total += this.#growth(state.last, now);
    state.last = now;
    this.#current.set(key, state);
    return state.total;
  }

  /** Forgets the counters that were not read since the last call: they begin anew when they come back. */
  sweep(): void {
    this.#previous = this.#current;
    this.#current = new Map();
  }
}
