import type { IoRingFile } from '../../formats/io-ring.ts';
import { bounds } from '../../metrics/bounds.ts';
import { firstStep, judgeStep, stepForward, wentBack, type CounterSource } from '../../metrics/counter-step.ts';

/** `pending` moves with tx: it helps to tell a queue that was made anew from an index that wrapped. */
const indices = ['tx', 'rx', 'pending'] as const;
type Index = (typeof indices)[number];

const readsOf = ({ transmit, receive }: IoRingFile): Record<Index, number> => ({
  tx: transmit?.requestConsumed ?? 0,
  rx: receive?.requestConsumed ?? 0,
  pending: transmit?.pendingProduced ?? 0,
});

/** What netback took from the rings of a queue, and the indices that did not continue from the ones before. */
export interface ConsumedGrowth {
  readonly tx: number;
  readonly rx: number;
  readonly resets: number;
}

/**
 * What netback took from the rings of each queue between two readings. The indices are netback's own u32: they wrap, each by itself, and begin
 * at 0 together when the frontend reconnects.
 */
export class ConsumedSlots {
  #current = new Map<string, Record<Index, CounterSource>>();
  #previous = new Map<string, Record<Index, CounterSource>>();

  /** Slots since `queue` was read last, or all of them the first time. `at`: when it was read, in seconds of monotonic time. */
  growthOf(queue: string, file: IoRingFile, at: number): ConsumedGrowth {
    const reads = readsOf(file);
    const reading = (index: Index) => ({
      now: reads[index],
      at,
      bounds: bounds.slots,
      count: 1,
      width: 'u32' as const,
    });
    const known = this.#current.get(queue) ?? this.#previous.get(queue);
    if (!known) {
      const begun = indices.map((index) => [index, firstStep(reading(index))[0]] as const);
      this.#current.set(queue, Object.fromEntries(begun) as Record<Index, CounterSource>);
      return { tx: reads.tx, rx: reads.rx, resets: 0 };
    }
    this.#current.set(queue, known);
    const isBack = indices.filter((index) => wentBack(known[index], reading(index))).length > 1;
    const growth = { tx: 0, rx: 0, pending: 0 };
    let resets = 0;
    for (const index of indices) {
      const forward = stepForward(known[index], reading(index));
      if (forward !== undefined) {
        growth[index] = forward;
        continue;
      }
      const step = judgeStep(known[index], reading(index), isBack);
      growth[index] = step.growth;
      if (step.isReset) resets += 1;
    }
    return { tx: growth.tx, rx: growth.rx, resets };
  }

  /** Forgets the queues that were not read since the last call. */
  sweep(): void {
    [this.#previous, this.#current] = [this.#current, new Map()];
  }
}
