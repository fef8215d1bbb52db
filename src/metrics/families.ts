import type { Descriptor } from './descriptor.ts';
import type { Labels } from './labels.ts';

/** One line of exposition, as prom-client's encoder takes it. The encoder caches the text of `sharedLabels`. */
export interface Sample {
  readonly value: number;
  readonly sharedLabels: Labels;
  readonly metricName?: string;
  readonly labels?: { readonly le: string };
}

/** A metric and its current samples. */
export interface Family {
  readonly descriptor: Descriptor;
  readonly samples: readonly Sample[];
}

/** State of a histogram: cumulative counts for each upper bound. The last bound is `+Inf`. */
export interface HistogramReading {
  readonly buckets: readonly { readonly le: string; readonly count: number }[];
  readonly sum: number;
}

// The exporter's own series are few and report what is missing, so they may exceed the limit.
const isOwn = ({ name }: Descriptor): boolean => name.startsWith('xen_exporter_');

/** Families of one collector in one scrape. Built for each scrape, so vanished devices leave no series. */
export class Families {
  readonly #samples = new Map<Descriptor, Sample[]>();
  readonly #maxSeries: number;
  #series = 0;
  #dropped = 0;

  constructor(maxSeries = Infinity) {
    this.#maxSeries = maxSeries;
  }

  /** Series taken so far. */
  get series(): number {
    return this.#series;
  }

  /** Series refused because `maxSeries` was reached. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Number of series that can still be added. */
  get room(): number {
    return Math.max(0, this.#maxSeries - this.#series);
  }

  /** Counts series that the collector leaves out in favour of more important ones. */
  drop(series: number): void {
    this.#dropped += series;
  }

  /** Adds a sample, or none if the value is undefined because the kernel does not report it. */
  add<Label extends string>(descriptor: Descriptor<Label>, labels: Labels<Label>, value: number | undefined): void {
    if (value === undefined || !this.#hasRoomFor(1, descriptor)) return;
    this.#samplesOf(descriptor).push({ value, sharedLabels: labels });
  }

  /** Fixes a metric's place among the families before it has a sample. */
  reserve(descriptor: Descriptor): void {
    this.#samplesOf(descriptor);
  }

  /** Adds a whole histogram, or nothing if it exceeds the limit. */
  addHistogram<Label extends string>(
    descriptor: Descriptor<Label>,
    labels: Labels<Label>,
    { buckets, sum }: HistogramReading,
  ): void {
    const { name } = descriptor;
    const samples = [
      ...buckets.map(({ le, count }) => ({
        value: count,
        sharedLabels: labels,
        metricName: `${name}_bucket`,
        labels: { le },
      })),
      { value: sum, sharedLabels: labels, metricName: `${name}_sum` },
      { value: buckets.at(-1)?.count ?? 0, sharedLabels: labels, metricName: `${name}_count` },
    ];
    if (this.#hasRoomFor(samples.length, descriptor)) this.#samplesOf(descriptor).push(...samples);
  }

  /** Counts series as taken if they fit under the limit or are the exporter's own, otherwise as dropped. */
  #hasRoomFor(series: number, descriptor: Descriptor): boolean {
    if (series > this.room && !isOwn(descriptor)) {
      this.drop(series);
      return false;
    }
    this.#series += series;
    return true;
  }

  #samplesOf(descriptor: Descriptor): Sample[] {
    let samples = this.#samples.get(descriptor);
    if (!samples) this.#samples.set(descriptor, (samples = []));
    return samples;
  }

  /** Families that have samples, in the order of their first sample. */
  list(): Family[] {
    return [...this.#samples].flatMap(([descriptor, samples]) => (samples.length > 0 ? [{ descriptor, samples }] : []));
  }
}
