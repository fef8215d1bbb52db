import type { Growth } from './accumulator.ts';
import type { Descriptor } from './descriptor.ts';
import type { Families } from './families.ts';
import type { Labels } from './labels.ts';

/**
 * A metric each of whose series is fed by any number of kernel counters, one after another or at once: the queues of a vif, a guest's device
 * before and after a reboot, a guest's device and that of its stub domain. A series grows by what its sources grow by, so it never goes down
 * when one of them restarts or goes away. It begins at what they read first.
 */
export class SummedCounter<Label extends string> {
  readonly #descriptor: Descriptor<Label>;
  readonly #growth: Growth;
  #sources = new Map<string, number>();
  #lastSources = new Map<string, number>();
  #totals = new Map<Labels<Label>, number>();
  #lastTotals = new Map<Labels<Label>, number>();

  constructor(descriptor: Descriptor<Label>, growth: Growth) {
    this.#descriptor = descriptor;
    this.#growth = growth;
  }

  /** Source `source` of the series `labels` reads `now`; undefined where it cannot be read. */
  feed(labels: Labels<Label>, source: string, now: number | undefined): void {
    if (now !== undefined) this.add(labels, this.growthOf(source, now));
  }

  /** What a source has grown by since it was read last, or its whole reading the first time. */
  growthOf(source: string, now: number): number {
    const last = this.#sources.get(source) ?? this.#lastSources.get(source) ?? 0;
    this.#sources.set(source, now);
    return this.#growth(last, now);
  }

  /** Adds to a series, in the kernel's unit. */
  add(labels: Labels<Label>, growth: number): void {
    this.#totals.set(labels, (this.#totals.get(labels) ?? this.#lastTotals.get(labels) ?? 0) + growth);
  }

  /**
   * Adds a sample for each series that was fed since the last call to `out`, where there is one, and forgets sources and series that were not fed.
   * `scale` turns the kernel's unit into the metric's.
   */
  flush(out: Families | undefined, scale = 1): void {
    for (const [labels, total] of this.#totals) out?.add(this.#descriptor, labels, total * scale);
    [this.#lastSources, this.#sources] = [this.#sources, new Map()];
    [this.#lastTotals, this.#totals] = [this.#totals, new Map()];
  }
}
