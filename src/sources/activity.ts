/** Mean time between two samples while nothing moves, in seconds. */
export const quietSeconds = 1;

// Something that has moved is watched at the full rate for this long. Servers that are in use get connections more
// often.
const activeSeconds = 2;

/**
 * Decides how closely to watch something that samplers read: at the full rate while it moves, about once a second while
 * it does not.
 */
export class Attention {
  #activeUntil = -Infinity;
  #isActive = false;

  /** Whether it is to be sampled at the full rate. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /**
   * Takes what a sample at `at` (monotonic seconds) has shown. `hasMoved` is a dearer look, which is only taken when
   * the sample alone would end the full rate.
   */
  look(at: number, isBusy: boolean, hasMoved: () => boolean = () => false): void {
    if (isBusy || (at >= this.#activeUntil && hasMoved())) this.#activeUntil = at + activeSeconds;
    this.#isActive = at < this.#activeUntil;
  }
}

/**
 * The time that a sample stands for one of many things that it may read, in seconds; 0 if it leaves the thing out.
 * `seconds`: what it stands for a thing that is watched at the full rate. A quiet thing is read by chance, so seldom
 * that it is read once in `quietSeconds`, and the sample stands for that much more.
 */
export const timeFor = ({ isActive }: Attention, seconds: number, random: () => number = Math.random): number => {
  if (isActive || seconds >= quietSeconds) return seconds;
  return random() * quietSeconds < seconds ? quietSeconds : 0;
};
