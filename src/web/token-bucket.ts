import type { RateLimit } from './config/web-config.ts';

/** Lets `burst` through at once and then one each interval. */
export class TokenBucket {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** `now` gives seconds that never go backwards. */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
    this.#tokens = limit.burst;
    this.#filledAt = now();
  }

  /** Whether it is one of this limit. */
  is({ intervalSeconds, burst }: RateLimit): boolean {
    return intervalSeconds === this.#limit.intervalSeconds && burst === this.#limit.burst;
  }

  /** Takes a token, if there is one. */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#limit.burst, this.#tokens + (now - this.#filledAt) / this.#limit.intervalSeconds);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
