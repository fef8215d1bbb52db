import { userOf } from '../../sources/fair-share.ts';

/**
 * The greatest number of items of which each group has at most so many that `most` in all are not exceeded; `most` if
 * all fit.
 */
export const fairLimit = (counts: readonly number[], most: number): number => {
  let left = most;
  for (const [i, count] of counts.toSorted((a, b) => a - b).entries()) {
    const share = Math.floor(left / (counts.length - i));
    if (count > share) return share;
    left -= count;
  }
  return most;
};

/**
 * Bounds how many sockets of a dump are followed, with a fair share for each user: any user can make hundreds of
 * thousands, which the kernel gives in no useful order. How large the share is follows from the dump before; no user
 * ever has more than `most`.
 */
export class FairReading {
  #share = Infinity;
  #counts = new Map<number, number>();
  #leftOut = 0;

  /** Sockets that the last dump had beyond the shares of their users. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Begins a dump of which about `most` sockets are to be followed. */
  begin(most: number): void {
    this.#share = Math.min(most, fairLimit([...this.#counts.values()], most));
    this.#counts = new Map();
    this.#leftOut = 0;
  }

  /** Whether the next socket, of this user, is within the share. */
  takes(uid: number): boolean {
    const user = userOf(uid);
    const count = (this.#counts.get(user) ?? 0) + 1;
    this.#counts.set(user, count);
    if (count <= this.#share) return true;
    this.#leftOut += 1;
    return false;
  }
}
