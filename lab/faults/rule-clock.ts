/** Half a minute for the rules: as often as Prometheus is to scrape. */
export const SCRAPE_INTERVAL_SECONDS = 30;
const EVALUATION_INTERVAL_SECONDS = 15;

/** With each of them scrapes and evaluations are whole seconds apart. */
export const SPEEDS = [15, 5, 3, 1] as const;
export type Speed = (typeof SPEEDS)[number];

/** The time of the rules in the lab, which goes so many times as fast as the lab's own: their windows, offsets and waits and Alertmanager's, nothing else. */
export class RuleClock {
  readonly speed: Speed;

  constructor(speed: Speed) {
    this.speed = speed;
  }

  /** What a duration of the rules is multiplied by. */
  get scale(): number {
    return 1 / this.speed;
  }

  /** Of the lab. */
  get scrapeIntervalSeconds(): number {
    return SCRAPE_INTERVAL_SECONDS / this.speed;
  }

  /** Of the lab. */
  get evaluationIntervalSeconds(): number {
    return EVALUATION_INTERVAL_SECONDS / this.speed;
  }

  /** Milliseconds of the lab that are so many minutes for the rules. */
  minutes(count: number): number {
    return (count * 60_000) / this.speed;
  }

  /** Whole seconds for the rules that so many milliseconds of the lab are. */
  seconds(ms: number): number {
    return Math.round((ms / 1000) * this.speed);
  }
}
