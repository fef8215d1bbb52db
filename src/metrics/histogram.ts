import type { HistogramReading } from './families.ts';

/** Observations counted by size. */
export class Histogram {
  readonly #bounds: readonly string[];
  readonly #limits: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds`: upper bounds as OpenMetrics writes them, ascending, the last of them `+Inf`. */
  constructor(bounds: readonly string[]) {
    this.#bounds = bounds;
    this.#limits = bounds.map((bound) => (bound === '+Inf' ? Infinity : Number(bound)));
    this.#counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.observeAll(value, 1, value);
  }

  /** Adds observations that lie together: none is above `greatest`, nor as small as the bound below it. */
  observeAll(greatest: number, count: number, sum: number): void {
    this.#counts[this.#limits.findIndex((limit) => greatest <= limit)]! += count;
    this.#sum += sum;
  }

  /** Adds all that another one with the same bounds has observed. */
  addAll(other: Histogram): void {
    other.#counts.forEach((count, i) => (this.#counts[i]! += count));
    this.#sum += other.#sum;
  }

  read(): HistogramReading {
    let count = 0;
    const buckets = this.#bounds.map((le, i) => ({ le, count: (count += this.#counts[i]!) }));
    return { buckets, sum: this.#sum };
  }
}
