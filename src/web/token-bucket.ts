import type { RateLimit } from './config/web-config.ts';

/** Admits `burst` at once and then one per interval. */
export class TokenBucket {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** `now` returns monotonic seconds. */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
    this.#tokens = limit.burst;
    this.#filledAt = now();
  }

  /** Returns whether the bucket has this limit. */
  is({ intervalSeconds, burst }: RateLimit): boolean {
    return intervalSeconds === this.#limit.intervalSeconds && burst === this.#limit.burst;
  }

  /** Takes a token if there is one. */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#limit.burst, this.#tokens + (now - this.#filledAt) / this.#limit.intervalSeconds);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
