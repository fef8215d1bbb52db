/** Half a minute of rules' time: the intended scrape interval. */
export const SCRAPE_INTERVAL_SECONDS = 30;
const EVALUATION_INTERVAL_SECONDS = 15;

/** With each of them, scrapes and evaluations are whole seconds apart. */
export const SPEEDS = [15, 5, 3, 1] as const;
export type Speed = (typeof SPEEDS)[number];

/**
 * The rules' clock in the lab. It runs faster than real time by a factor that scales windows, offsets and waits of
 * rules and Alertmanager, and nothing else.
 */
export class RuleClock {
  readonly speed: Speed;

  constructor(speed: Speed) {
    this.speed = speed;
  }

  /** Factor for durations of rules. */
  get scale(): number {
    return 1 / this.speed;
  }

  /** In real time. */
  get scrapeIntervalSeconds(): number {
    return SCRAPE_INTERVAL_SECONDS / this.speed;
  }

  /** In real time. */
  get evaluationIntervalSeconds(): number {
    return EVALUATION_INTERVAL_SECONDS / this.speed;
  }

  /** Milliseconds of real time for minutes of rules' time. */
  minutes(count: number): number {
    return (count * 60_000) / this.speed;
  }

  /** Whole seconds of rules' time for milliseconds of real time. */
  seconds(ms: number): number {
    return Math.round((ms / 1000) * this.speed);
  }
}
