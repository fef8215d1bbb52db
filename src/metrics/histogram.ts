import type { HistogramReading } from './families.ts';

/** Observations counted by size. */
export class Histogram {
  readonly #bounds: readonly string[];
  readonly #limits: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds` are ascending upper bounds in OpenMetrics notation. The last is `+Inf`. */
  constructor(bounds: readonly string[]) {
    this.#bounds = bounds;
    this.#limits = bounds.map((bound) => (bound === '+Inf' ? Infinity : Number(bound)));
    this.#counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.observeAll(value, 1, value);
  }

  /** Adds observations of the same bucket. `greatest` is the largest of them. */
  observeAll(greatest: number, count: number, sum: number): void {
    this.#counts[this.#limits.findIndex((limit) => greatest <= limit)]! += count;
    this.#sum += sum;
  }

  /** Adds all observations of a histogram with the same bounds. */
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
