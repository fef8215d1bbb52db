import type { Labels, Sample } from './labels.ts';
import { matches } from './matchers.ts';
import type { Range } from './range-functions.ts';
import type { Selector } from './tree.ts';

/** The number of sorted times that are not after `time`. */
const countUpTo = (times: readonly number[], time: number): number => {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Samples of a series in memory. */
export class Series {
  readonly name: string;
  readonly labels: Labels;
  /** Unix times in milliseconds. */
  readonly times: number[] = [];
  readonly values: number[] = [];
  /** Times of staleness markers: an instant selector finds no sample before the last one. Ranges ignore them. */
  readonly #ends: number[] = [];

  constructor(name: string, labels: Labels) {
    this.name = name;
    this.labels = labels;
  }

  get #lastTime(): number {
    return Math.max(this.times.at(-1) ?? -Infinity, this.#ends.at(-1) ?? -Infinity);
  }

  /** Adds a sample, and returns whether it is newer than all before. Other samples are left out. */
  append(time: number, value: number): boolean {
    if (time <= this.#lastTime) return false;
    this.times.push(time);
    this.values.push(value);
    return true;
  }

  /** Marks the series as stale, unless it has a sample that is as new. */
  end(time: number): void {
    if (time > this.#lastTime) this.#ends.push(time);
  }

  /** The value at a time: the last one, if it is less old than the lookback and no staleness marker followed. */
  at(time: number, lookbackMs: number): number | undefined {
    const last = countUpTo(this.times, time) - 1;
    const end = this.#ends[countUpTo(this.#ends, time) - 1] ?? -Infinity;
    return last >= 0 && this.times[last]! > Math.max(time - lookbackMs, end) ? this.values[last] : undefined;
  }

  /** The samples after `start` and not after `end`. Prometheus 3 leaves `start` itself out. */
  range(start: number, end: number): Range | undefined {
    const first = countUpTo(this.times, start);
    const last = countUpTo(this.times, end) - 1;
    return first <= last ? { times: this.times, values: this.values, first, last, start, end } : undefined;
  }

  /** Forgets samples up to a time, once they are a quarter of all: to move the others each time would take more. */
  forget(time: number): void {
    if (this.times[this.times.length >> 2]! > time) return;
    const count = countUpTo(this.times, time);
    this.times.splice(0, count);
    this.values.splice(0, count);
    this.#ends.splice(0, countUpTo(this.#ends, time));
  }
}

/** Series of the metrics that rules read, each as far back as rules read it. */
export class Store {
  readonly #windows: ReadonlyMap<string, number>;
  readonly #maxSeries: number;
  readonly #byName = new Map<string, { series: Map<string, Series>; changes: number }>();
  /** The series of selectors, while no series of their metric came or went. */
  readonly #selected = new WeakMap<Selector, { series: Series[]; changes: number }>();
  #seriesCount = 0;

  /**
   * `windows`: the stored metrics, each with the milliseconds that samples are kept for (windowsOf). Series beyond
   * `maxSeries` are left out.
   */
  constructor(windows: ReadonlyMap<string, number>, maxSeries = Infinity) {
    this.#windows = windows;
    this.#maxSeries = maxSeries;
  }

  /**
   * Adds a sample. Returns its series, or undefined if the sample is left out: not read, not newer, or too many series.
   */
  append({ name, labels, value }: Sample, time: number): Series | undefined {
    if (!this.#windows.has(name)) return undefined;
    let ofName = this.#byName.get(name);
    if (!ofName) this.#byName.set(name, (ofName = { series: new Map(), changes: 0 }));
    let series = ofName.series.get(labels.key);
    if (!series) {
      if (this.#seriesCount >= this.#maxSeries) return undefined;
      this.#seriesCount += 1;
      ofName.changes += 1;
      ofName.series.set(labels.key, (series = new Series(name, labels)));
    }
    return series.append(time, value) ? series : undefined;
  }

  /** The series of a selector, in the order in which they appeared. */
  select(selector: Selector): readonly Series[] {
    const ofName = this.#byName.get(selector.name);
    if (!ofName) return [];
    const known = this.#selected.get(selector);
    if (known?.changes === ofName.changes) return known.series;
    const series = [...ofName.series.values()].filter(({ labels }) => matches(selector, labels));
    this.#selected.set(selector, { series, changes: ofName.changes });
    return series;
  }

  /** Forgets what no evaluation from this time on reads. */
  forget(time: number): void {
    for (const [name, ofName] of this.#byName)
      for (const [key, series] of ofName.series) {
        series.forget(time - this.#windows.get(name)!);
        if (series.times.length > 0) continue;
        ofName.series.delete(key);
        ofName.changes += 1;
        this.#seriesCount -= 1;
      }
  }

  get size(): { series: number; samples: number } {
    let samples = 0;
    for (const { series } of this.#byName.values()) for (const { times } of series.values()) samples += times.length;
    return { series: this.#seriesCount, samples };
  }
}

/**
 * Writes what one source, such as a target or a rule, has at one time. A series that the source no longer has becomes
 * stale.
 */
export class Feed {
  readonly #store: Store;
  readonly #series = new Set<Series>();

  constructor(store: Store) {
    this.#store = store;
  }

  write(samples: Iterable<Sample>, time: number): void {
    for (const sample of samples) {
      const series = this.#store.append(sample, time);
      if (series) this.#series.add(series);
    }
    for (const series of this.#series) {
      if (series.times.at(-1) === time) continue;
      series.end(time);
      this.#series.delete(series);
    }
  }
}
