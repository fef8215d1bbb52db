import type { Descriptor } from './descriptor.ts';
import type { Labels } from './labels.ts';

/** One line of exposition, in the shape that prom-client's encoder takes: `sharedLabels` are those whose text it caches. */
export interface Sample {
  readonly value: number;
  readonly sharedLabels: Labels;
  readonly metricName?: string;
  readonly labels?: { readonly le: string };
}

/** A metric and its samples of this moment. */
export interface Family {
  readonly descriptor: Descriptor;
  readonly samples: readonly Sample[];
}

/** The state of a histogram: cumulative counts under each upper bound, the last of which is `+Inf`. */
export interface HistogramReading {
  readonly buckets: readonly { readonly le: string; readonly count: number }[];
  readonly sum: number;
}

// The exporter's own metrics are few and report what is missing, so they have room beyond the limit.
const isOwn = ({ name }: Descriptor): boolean => name.startsWith('xen_exporter_');

/** The families of one collector in one scrape: built anew each time, so that what vanished from the machine vanishes here. */
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

  /** Series that can still be added. */
  get room(): number {
    return Math.max(0, this.#maxSeries - this.#series);
  }

  /** Counts series that the collector does not add, because the room is for more important ones. */
  drop(series: number): void {
    this.#dropped += series;
  }

  /** Adds a sample; an undefined value (the kernel does not say) adds none. */
  add<Label extends string>(descriptor: Descriptor<Label>, labels: Labels<Label>, value: number | undefined): void {
    if (value === undefined || !this.#hasRoomFor(1, descriptor)) return;
    this.#samplesOf(descriptor).push({ value, sharedLabels: labels });
  }

  /** Gives a metric its place among the families before it has a sample. */
  reserve(descriptor: Descriptor): void {
    this.#samplesOf(descriptor);
  }

  /** Adds a whole histogram, or where it does not fit under the limit, nothing of it. */
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

  /** Counts so many series as taken if they fit under the limit, or are the exporter's own, else as dropped. */
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

  /** The families that have samples, in the order in which they were first added to. */
  list(): Family[] {
    return [...this.#samples].flatMap(([descriptor, samples]) => (samples.length > 0 ? [{ descriptor, samples }] : []));
  }
}
