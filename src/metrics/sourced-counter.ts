import type { Bounds } from './bounds.ts';
import {
  firstStep,
  judgeStep,
  stepForward,
  type CounterReading,
  type CounterSource,
  type CounterStep,
  type Suspect,
} from './counter-step.ts';
import type { CounterDescriptor, Descriptor } from './descriptor.ts';
import type { Families } from './families.ts';
import type { Labels } from './labels.ts';

/** A reading of one source of a series. */
export interface SourceReading {
  /** Undefined if it cannot be read now; the reading is then ignored. */
  readonly reads: number | undefined;
  /** The name of the source; the series itself if it has only one. */
  readonly source?: string;
  /** The source's device. All sources of a device restart together. */
  readonly device?: string;
  /** Time of the reading in seconds of monotonic time. Default: the time of the scrape. */
  readonly at?: number | undefined;
  /** Duration of the reading in seconds, if it was not instantaneous; it ended at `at`. */
  readonly took?: number | undefined;
  /** Number of CPUs, vCPUs or the like that it sums. The bounds apply to one. */
  readonly count?: number;
  /** Number of source units in one metric unit. 'unknown' withholds the series until it is known. */
  readonly unitsPer?: number | 'unknown';
}

/** A suspect reading of a series. `add` receives its growth. */
export interface SuspectOfSeries extends Suspect {
  add(growth: number): void;
}

interface Source extends CounterSource {
  /** Round of the last reading. */
  round: number;
  /** Number of CPUs, vCPUs or the like in the last reading. */
  count: number;
  /** Duration of the last reading in seconds. */
  took: number;
}

interface Total {
  value: number;
  round: number;
  unitsPer: number | 'unknown';
  /** Source of a series with only one. */
  own: Source | undefined;
}

// Long enough for a guest to reboot while scrapes are a second apart; short enough to free the memory of guests that
// are gone.
const roundsRemembered = 60;

const unlimited: Bounds = { stepBack: 0, perSecond: Infinity };

const keyOf = (labels: Labels): string => Object.values(labels).join('\0');

/**
 * A metric whose series may have several sources, in sequence or in parallel: queues of a vif, a guest's device before
 * and after a reboot, a guest's device and its stub domain's. A series without a source for a while, such as during a
 * reboot, is gone; later it continues from its old total.
 */
export class SourcedCounter {
  readonly #descriptor: Descriptor;
  readonly #bounds: Bounds;
  readonly #sources = new Map<string, Source>();
  readonly #totals = new Map<Labels, Total>();
  /** Totals of gone series by their label values. */
  readonly #gone = new Map<string, Total>();
  #suspects: SuspectOfSeries[] = [];
  #resets = 0;
  /**
   * The next round. A round ends with a flush if any series was fed, so nothing is forgotten while nothing can be read.
   */
  #round = 0;
  #isFed = false;

  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    this.#bounds = (descriptor as Partial<CounterDescriptor>).bounds ?? unlimited;
  }

  /** Takes a reading in a scrape at `now`. */
  feed(labels: Labels, given: SourceReading, now: number): void {
    const { reads, source: name, unitsPer = 1 } = given;
    if (reads === undefined) return;
    const total = this.#totalOf(labels);
    total.unitsPer = unitsPer;
    const source = name === undefined ? total.own : this.#sources.get(name);
    if (source) {
      const reading = this.#continue(source, reads, given, now);
      if (typeof reading === 'number') total.value += reading;
      else {
        const add = (growth: number): void => void (total.value += growth);
        this.#suspects.push({ add, source, device: given.device ?? source, reading });
      }
    } else {
      const [begun, step] = this.#begin(reads, given, now);
      if (name === undefined) total.own = begun;
      else this.#sources.set(name, begun);
      total.value += this.#count(step);
    }
  }

  /** Growth of a source that feeds no series. */
  growthOf(given: SourceReading & { readonly source: string; readonly reads: number }, now: number): number {
    const source = this.#sources.get(given.source);
    if (!source) {
      const [begun, step] = this.#begin(given.reads, given, now);
      this.#sources.set(given.source, begun);
      return this.#count(step);
    }
    const reading = this.#continue(source, given.reads, given, now);
    return typeof reading === 'number' ? reading : this.#count(judgeStep(source, reading, false));
  }

  /** Adds growth to a series. */
  grow(labels: Labels, growth: number, unitsPer: number | 'unknown' = 1): void {
    const total = this.#totalOf(labels);
    total.unitsPer = unitsPer;
    total.value += growth;
  }

  /**
   * Adds a sample to `out` for each series fed since the last call. Forgets sources and series that were not fed for
   * many calls while others were. Returns the number of discontinuous readings.
   */
  flush(out: Families): number {
    if (this.#isFed) {
      this.#forget(this.#sources);
      this.#forget(this.#gone);
    }
    for (const [labels, total] of this.#totals) {
      if (total.round !== this.#round) {
        this.#totals.delete(labels);
        this.#gone.set(keyOf(labels), total);
      } else if (total.unitsPer !== 'unknown') {
        out.add(this.#descriptor, labels, total.value / total.unitsPer);
      }
    }
    if (this.#isFed) this.#round += 1;
    this.#isFed = false;
    const resets = this.#resets;
    this.#resets = 0;
    return resets;
  }

  /**
   * Takes the suspect readings. Before the flush, judge them together with all readings of their device, including
   * other metrics.
   */
  takeSuspects(): SuspectOfSeries[] {
    const suspects = this.#suspects;
    this.#suspects = [];
    return suspects;
  }

  /** Growth of a source within its bounds, otherwise the reading, which must be judged. */
  #continue(source: Source, reads: number, given: SourceReading, scrape: number): number | CounterReading {
    const { at = scrape, count = 1, took = 0 } = given;
    // The growth may come from the larger number of CPUs, and started as early as the last reading did.
    const mostCount = Math.max(count, source.count);
    const readAt = source.at - source.took;
    source.at = readAt;
    source.round = this.#round;
    source.count = count;
    source.took = took;
    const growth = stepForward(source, reads, at, this.#bounds.perSecond * mostCount);
    if (growth === 0 && this.#bounds.countsAtEnd) source.at = readAt + took;
    return growth ?? this.#readingOf(reads, at, mostCount);
  }

  #readingOf(now: number, at: number, count: number): CounterReading {
    const { wraps: width }: Partial<CounterDescriptor> = this.#descriptor;
    return { now, at, bounds: this.#bounds, count, width };
  }

  #begin(reads: number, given: SourceReading, scrape: number): [Source, CounterStep] {
    const { at = scrape, count = 1, took = 0 } = given;
    const [source, step] = firstStep(this.#readingOf(reads, at, count));
    return [{ ...source, round: this.#round, count, took }, step];
  }

  #count({ growth, isReset }: CounterStep): number {
    if (isReset) this.#resets += 1;
    return growth;
  }

  #totalOf(labels: Labels): Total {
    let total = this.#totals.get(labels);
    if (!total) this.#totals.set(labels, (total = this.#takeGone(labels)));
    total.round = this.#round;
    this.#isFed = true;
    return total;
  }

  /** The total of a series that returns under a new label object, or of a new series. */
  #takeGone(labels: Labels): Total {
    const key = keyOf(labels);
    const total = this.#gone.get(key) ?? { value: 0, round: 0, unitsPer: 1, own: undefined };
    this.#gone.delete(key);
    return total;
  }

  #forget(all: Map<string, { readonly round: number }>): void {
    for (const [key, { round }] of all) if (round + roundsRemembered < this.#round) all.delete(key);
  }
}
