import { quietSeconds } from '../sources/activity.ts';

// Share of the surplus that each sample gives back: small, so that a sample stands mostly for the mean wait.
const repayment = 0.1;

/**
 * The waits between samples, and the time that each sample stands for. Waits are memoryless (exponential), and a sample
 * stands for the mean that was chosen before the wait began. So whatever happens is counted for its true length on
 * average, though the rate follows what the samples show. With the time since the last sample as the weight, a burst
 * out of silence would count up to 1.4 times.
 *
 * Random waits alone would make a queue that is always full seem full for 95 to 105 % of a minute. At the full rate the
 * next samples therefore give back what the last ones stood for beyond the time that passed. Nothing is given back from
 * before the full rate: a sample that has met a burst out of silence stands for all that were missed.
 */
export class Pace {
  readonly #fullSeconds: number;
  readonly #random: () => number;
  #isActive = false;
  #mean = 0;
  #wait = 0;
  #weight = 0;
  /** Time that the samples at the full rate stand for beyond the time that has passed, in seconds. */
  #surplus = 0;

  constructor(hertz: number, random: () => number = Math.random) {
    this.#fullSeconds = 1 / hertz;
    this.#random = random;
  }

  /**
   * The next wait in seconds: at the full rate if something is active, but with a mean of `leastSeconds` or more, which
   * the CPU budget allows.
   */
  nextWait(isActive: boolean, leastSeconds: number): number {
    if (!isActive || !this.#isActive) this.#surplus = 0;
    this.#isActive = isActive;
    this.#mean = Math.max(this.#wantedSeconds, leastSeconds);
    this.#wait = -Math.log(1 - this.#random()) * this.#mean;
    this.#weight = Math.max(0, this.#mean - repayment * this.#surplus);
    return this.#wait;
  }

  /**
   * The time that the sample after that wait stands for, in seconds, if it is taken `elapsed` seconds after the wait
   * began: timers are late or early.
   */
  secondsAfter(elapsed: number): number {
    const seconds = Math.max(0, this.#weight + elapsed - this.#wait);
    this.#surplus += seconds - elapsed;
    return seconds;
  }

  /**
   * How many samples more there would have been in that time without the budget, and if this one were not late; below 0
   * if it is early.
   */
  missedAfter(elapsed: number): number {
    return (this.#mean + elapsed - this.#wait) / this.#wantedSeconds - 1;
  }

  /** The mean wait that activity alone asks for. */
  get #wantedSeconds(): number {
    return this.#isActive ? this.#fullSeconds : Math.max(this.#fullSeconds, quietSeconds);
  }
}
