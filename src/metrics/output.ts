import { judgeTogether } from './counter-step.ts';
import type { CounterDescriptor, Descriptor } from './descriptor.ts';
import type { Families, HistogramReading } from './families.ts';
import { LabelSets, type Labels } from './labels.ts';
import { SourcedCounter, type SourceReading } from './sourced-counter.ts';

/** State of a collector's series between scrapes: label objects and the sources of counters. */
export class SeriesState {
  readonly #labels = new Map<readonly string[], LabelSets<string>>();
  readonly #counters = new Map<Descriptor, SourcedCounter>();
  #resets = 0;

  /** Readings, in all counters, that did not continue from the previous one. */
  get resets(): number {
    return this.#resets;
  }

  countResets(resets: number): void {
    this.#resets += resets;
  }

  labelsOf(names: readonly string[]): LabelSets<string> {
    let sets = this.#labels.get(names);
    if (!sets) this.#labels.set(names, (sets = new LabelSets(names)));
    return sets;
  }

  counterOf(descriptor: Descriptor): SourcedCounter {
    let counter = this.#counters.get(descriptor);
    if (!counter) this.#counters.set(descriptor, (counter = new SourcedCounter(descriptor)));
    return counter;
  }

  /** Ends a scrape: adds the counters' samples to `out` and forgets series that were not seen for a while. */
  end(out: Families): void {
    const suspects = [...this.#counters.values()].flatMap((counter) => counter.takeSuspects());
    judgeTogether(suspects, ({ add }, { growth, isReset }) => {
      add(growth);
      if (isReset) this.#resets += 1;
    });
    for (const counter of this.#counters.values()) this.#resets += counter.flush(out);
    for (const sets of this.#labels.values()) sets.sweep();
  }

  /**
   * Ends a failed scrape. Its series could not be read, so none is forgotten. Suspect readings are dropped because
   * others of their device are missing.
   */
  abandon(): void {
    for (const counter of this.#counters.values()) counter.takeSuspects();
  }
}

/** Collects the samples of one scrape of a collector. */
export class Output {
  readonly #state: SeriesState;
  readonly #families: Families;
  readonly #now: number;
  /** Counters of this scrape so far. */
  readonly #counters = new Map<Descriptor, SourcedCounter>();
  #skipped: { readonly items: number; readonly first: Error } | undefined;

  /** `now` is the time of this scrape, in seconds of monotonic time. */
  constructor(state: SeriesState, families: Families, now: number) {
    this.#state = state;
    this.#families = families;
    this.#now = now;
  }

  /** Labels of a series: the names of a metric's labels and their values in the same order. */
  labels<Label extends string>(names: readonly Label[], ...values: readonly string[]): Labels<Label> {
    return this.#state.labelsOf(names).of(values) as Labels<Label>;
  }

  /** Remaining room for series. Excludes counters, which are added at the end of the scrape. */
  get room(): number {
    return this.#families.room;
  }

  /**
   * Adds items with `add` while there is room, one per step, so that an item has all its series or none. The series of
   * the rest count as dropped. Pass important items first. `seriesOf` returns the number of series of an item. Returns
   * the dropped items.
   */
  *addWhole<Item>(
    items: readonly Item[],
    seriesOf: (item: Item) => number,
    add: (item: Item) => void,
  ): Generator<void, Item[]> {
    let { room } = this;
    const leftOut: Item[] = [];
    for (const item of items) {
      room -= seriesOf(item);
      if (room >= 0) {
        add(item);
        yield;
      } else {
        this.#families.drop(seriesOf(item));
        leftOut.push(item);
      }
    }
    return leftOut;
  }

  /** Counts items (devices, queues, processes) that cannot be read. */
  skip(error: Error, items = 1): void {
    this.#skipped = { items: (this.#skipped?.items ?? 0) + items, first: this.#skipped?.first ?? error };
  }

  /** Number of items that could not be read and the first error; undefined if there are none. */
  get skipped(): { readonly items: number; readonly first: Error } | undefined {
    return this.#skipped;
  }

  /** Adds a current value, or none if it is undefined because the kernel does not report it. */
  gauge<Label extends string>(descriptor: Descriptor<Label>, labels: Labels<Label>, value: number | undefined): void {
    this.#families.add(descriptor, labels, value);
  }

  /** Adds a total that the exporter keeps. */
  total<Label extends string>(descriptor: Descriptor<Label>, labels: Labels<Label>, value: number | undefined): void {
    this.#families.add(descriptor, labels, value);
  }

  histogram<Label extends string>(
    descriptor: Descriptor<Label>,
    labels: Labels<Label>,
    reading: HistogramReading,
  ): void {
    this.#families.addHistogram(descriptor, labels, reading);
  }

  /**
   * Adds a reading of a counter. The series starts at the first reading of its sources and grows with them. It never
   * goes down when a source wraps, restarts or goes away. The descriptor's bounds define absurd readings.
   */
  counter<Label extends string>(
    descriptor: CounterDescriptor<Label>,
    labels: Labels<Label>,
    reading: SourceReading,
  ): void {
    if (reading.reads === undefined) return;
    this.#counterOf(descriptor).feed(labels, reading, this.#now);
  }

  /** Counts discontinuities of counters that the collector follows itself. */
  countResets(resets: number): void {
    this.#state.countResets(resets);
  }

  /** Growth of a source since its last reading, or its whole first reading. Pass it to `grow`. */
  growthOf(
    descriptor: CounterDescriptor,
    reading: SourceReading & { readonly source: string; readonly reads: number },
  ): number {
    return this.#state.counterOf(descriptor).growthOf(reading, this.#now);
  }

  /** Adds growth to a counter, in the unit of its sources. */
  grow<Label extends string>(
    descriptor: Descriptor<Label>,
    labels: Labels<Label>,
    growth: number,
    unitsPer?: number,
  ): void {
    this.#counterOf(descriptor).grow(labels, growth, unitsPer);
  }

  #counterOf(descriptor: Descriptor): SourcedCounter {
    let counter = this.#counters.get(descriptor);
    if (!counter) {
      this.#families.reserve(descriptor);
      this.#counters.set(descriptor, (counter = this.#state.counterOf(descriptor)));
    }
    return counter;
  }
}
