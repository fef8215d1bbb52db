import type { IoRingFile } from '../../formats/io-ring.ts';
import { growthOfU32 } from '../../metrics/accumulator.ts';

interface Indices {
  tx: number;
  rx: number;
  /** Moves with tx; tells a queue that was made anew from an index that wrapped. */
  pending: number;
}

const indicesOf = ({ transmit, receive }: IoRingFile): Indices => ({
  tx: transmit?.requestConsumed ?? 0,
  rx: receive?.requestConsumed ?? 0,
  pending: transmit?.pendingProduced ?? 0,
});

/**
 * What netback took from the rings of each queue between two readings. The indices are netback's own u32: they wrap, each by itself, and begin
 * at 0 together when the frontend reconnects.
 */
export class ConsumedSlots {
  #current = new Map<string, Indices>();
  #previous = new Map<string, Indices>();

  /** Slots since `queue` was read last, or all of them the first time. */
  growthOf(queue: string, reading: IoRingFile): { tx: number; rx: number } {
    const now = indicesOf(reading);
    const last = this.#current.get(queue) ?? this.#previous.get(queue) ?? { tx: 0, rx: 0, pending: 0 };
    this.#current.set(queue, now);
    const wentDown = [now.tx < last.tx, now.rx < last.rx, now.pending < last.pending].filter(Boolean).length;
    if (wentDown >= 2) return { tx: now.tx, rx: now.rx };
    return { tx: growthOfU32(last.tx, now.tx), rx: growthOfU32(last.rx, now.rx) };
  }

  /** Forgets the queues that were not read since the last call. */
  sweep(): void {
    [this.#previous, this.#current] = [this.#current, new Map()];
  }
}
