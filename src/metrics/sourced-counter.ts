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

/** A reading of one of the sources that feed a series. */
export interface SourceReading {
  /** Undefined where it cannot be read now: then it is as if it had not been asked for. */
  readonly reads: number | undefined;
  /** Which source it is; the series itself where it has only one. */
  readonly source?: string;
  /** The device that it belongs to, whose sources restart together. */
  readonly device?: string;
  /** When it was taken, in seconds of monotonic time; in this scrape where it is not given. */
  readonly at?: number | undefined;
  /** How many seconds before `at` the reading began, if it was not taken at once. */
  readonly took?: number | undefined;
  /** Number of CPUs, vCPUs or the like in the sum. The bounds are those of one. */
  readonly count?: number;
  /** How many of its units make one of the metric's; 'unknown' keeps the series back until it is known. */
  readonly unitsPer?: number | 'unknown';
}

/** A reading of a series that has to be judged; what it grows by is given to `add`. */
export interface SuspectOfSeries extends Suspect {
  add(growth: number): void;
}

interface Source extends CounterSource {
  /** The round in which it was read last. */
  round: number;
  /** The number of CPUs, vCPUs or the like that the last reading summed. */
  count: number;
  /** The duration of that reading, in seconds. */
  took: number;
}

interface Total {
  value: number;
  round: number;
  unitsPer: number | 'unknown';
  /** The source of a series that has only one. */
  own: Source | undefined;
}

// Enough for a guest to reboot between scrapes a second apart, and few enough that one long gone takes no memory.
const roundsRemembered = 60;

const unlimited: Bounds = { stepBack: 0, perSecond: Infinity };

const keyOf = (labels: Labels): string => Object.values(labels).join('\0');

/**
 * A metric each of whose series is fed by any number of sources, one after another or at once: the queues of a vif, a guest's device before and after a
 * reboot, a guest's device and that of its stub domain. A series that has no source for a while, as while a guest reboots, is gone, and goes on from
 * where it was.
 */
export class SourcedCounter {
  readonly #descriptor: Descriptor;
  readonly #bounds: Bounds;
  readonly #sources = new Map<string, Source>();
  readonly #totals = new Map<Labels, Total>();
  /** Totals of series that are gone, by the values of their labels. */
  readonly #gone = new Map<string, Total>();
  #suspects: SuspectOfSeries[] = [];
  #resets = 0;
  /** Number of the round to come. A round ends with a flush, if any series was fed: while nothing can be read, nothing is forgotten. */
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

  /** Growth of a source that feeds no series of its own. */
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
   * Adds a sample to `out` for each series that was fed since the last call. Forgets sources and series that were not fed for many calls while others
   * were. Returns the number of readings that did not continue from the ones before.
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

  /** Takes the suspect readings. Judge them before the flush, beside all readings of their device, including those of other metrics. */
  takeSuspects(): SuspectOfSeries[] {
    const suspects = this.#suspects;
    this.#suspects = [];
    return suspects;
  }

  /** Growth of a source that goes forward as its bounds allow, otherwise its reading, which has to be judged. */
  #continue(source: Source, reads: number, given: SourceReading, scrape: number): number | CounterReading {
    const { at = scrape, count = 1, took = 0 } = given;
    // The growth may come from the larger number of CPUs, and from any time since the last reading began.
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

  /** The total of a series that is back under another label object, or of a new one. */
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
