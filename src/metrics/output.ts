import { judgeTogether } from './counter-step.ts';
import type { CounterDescriptor, Descriptor } from './descriptor.ts';
import type { Families, HistogramReading } from './families.ts';
import { LabelSets, type Labels } from './labels.ts';
import { SourcedCounter, type SourceReading } from './sourced-counter.ts';

/** State of a collector's series between scrapes: label objects, and the sources of its counters. */
export class SeriesState {
  readonly #labels = new Map<readonly string[], LabelSets<string>>();
  readonly #counters = new Map<Descriptor, SourcedCounter>();
  #resets = 0;

  /** Readings that did not continue from the ones before, in all counters. */
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

  /** Ends a scrape: gives the counters' samples to `out`, and forgets the series that were not seen for a while. */
  end(out: Families): void {
    const suspects = [...this.#counters.values()].flatMap((counter) => counter.takeSuspects());
    judgeTogether(suspects, ({ add }, { growth, isReset }) => {
      add(growth);
      if (isReset) this.#resets += 1;
    });
    for (const counter of this.#counters.values()) this.#resets += counter.flush(out);
    for (const sets of this.#labels.values()) sets.sweep();
  }

  /** Ends a scrape that failed: its series are not gone, they could not be read. What is still to be judged is left out: other readings are missing. */
  abandon(): void {
    for (const counter of this.#counters.values()) counter.takeSuspects();
  }
}

/** Takes the samples of one scrape of a collector. */
export class Output {
  readonly #state: SeriesState;
  readonly #families: Families;
  readonly #now: number;
  /** The counters of this scrape so far. */
  readonly #counters = new Map<Descriptor, SourcedCounter>();
  #skipped: { readonly items: number; readonly first: Error } | undefined;

  /** `now`: of this scrape, in seconds of monotonic time. */
  constructor(state: SeriesState, families: Families, now: number) {
    this.#state = state;
    this.#families = families;
    this.#now = now;
  }

  /** The labels of a series, by the names of a metric's labels and their values in that order. */
  labels<Label extends string>(names: readonly Label[], ...values: readonly string[]): Labels<Label> {
    return this.#state.labelsOf(names).of(values) as Labels<Label>;
  }

  /** Series that the limit still has room for, without those of counters, which are added when the scrape ends. */
  get room(): number {
    return this.#families.room;
  }

  /**
   * Adds items by `add` for as long as there is room, one a step, and counts the series of the others as dropped: an item has all its series or none. Give
   * important ones first. `seriesOf`: how many series `add` gives. Returns the items that were left out.
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

  /** Counts items (devices, queues, processes) that are left out because they cannot be read. */
  skip(error: Error, items = 1): void {
    this.#skipped = { items: (this.#skipped?.items ?? 0) + items, first: this.#skipped?.first ?? error };
  }

  /** The items that were left out so far, and the first one's error; undefined if there are none. */
  get skipped(): { readonly items: number; readonly first: Error } | undefined {
    return this.#skipped;
  }

  /** A value of this moment; undefined (the kernel does not say) gives no sample. */
  gauge<Label extends string>(descriptor: Descriptor<Label>, labels: Labels<Label>, value: number | undefined): void {
    this.#families.add(descriptor, labels, value);
  }

  /** A total that the exporter keeps itself. */
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
   * A reading of a counter. The series grows by what its sources grow by, so it never goes down when one of them wraps, restarts or goes away; it
   * begins at what they read first. The bounds of the descriptor say which readings are absurd.
   */
  counter<Label extends string>(
    descriptor: CounterDescriptor<Label>,
    labels: Labels<Label>,
    reading: SourceReading,
  ): void {
    if (reading.reads === undefined) return;
    this.#counterOf(descriptor).feed(labels, reading, this.#now);
  }

  /** Counts readings that did not continue from the ones before, of counters that the collector follows itself. */
  countResets(resets: number): void {
    this.#state.countResets(resets);
  }

  /** Growth of a source since its last reading, or its whole reading the first time. For `grow`. */
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
