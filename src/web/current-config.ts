import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import type { WebMetrics } from '../scrape/web-metrics.ts';
import { openDoor, type LoadedConfig, type WebConfigFile } from './config/web-config-file.ts';

// How often, at most, the files are looked at for changes.
const restSeconds = 1;

/** The web config that holds now: that of the last reading that succeeded. */
export class CurrentConfig {
  readonly #file: WebConfigFile | undefined;
  readonly #log: Log;
  readonly #metrics: WebMetrics;
  readonly #clock: Clock;
  readonly #listeners: ((config: LoadedConfig) => void)[] = [];
  #value: LoadedConfig = openDoor;
  #lookedAt = -Infinity;

  /** Reads the file, if there is one. Throws UsageError where it cannot be used. */
  constructor(spec: { file: WebConfigFile | undefined; log: Log; metrics: WebMetrics; clock: Clock }) {
    this.#file = spec.file;
    this.#log = spec.log;
    this.#metrics = spec.metrics;
    this.#clock = spec.clock;
    if (this.#file) this.#take(this.#file.load());
  }

  get value(): LoadedConfig {
    return this.#value;
  }

  /** Calls `listener` with each new config, beginning with this one. */
  onChange(listener: (config: LoadedConfig) => void): void {
    this.#listeners.push(listener);
    listener(this.#value);
  }

  /** Reads the file again where it, or one that it names, has changed; looks at most once a second. */
  refresh(): void {
    const now = this.#clock.monotonicSeconds();
    if (this.#file === undefined || now - this.#lookedAt < restSeconds) return;
    this.#lookedAt = now;
    if (this.#file.changed()) this.reload();
  }

  /** Reads the file again. Where it cannot be used, what holds goes on to hold, and false is returned. */
  reload(): boolean {
    if (this.#file === undefined) return true;
    try {
      this.#take(this.#file.load());
      this.#log.info('Web config file read again', { path: this.#file.path });
      return true;
    } catch (error) {
      this.#log.error('Web config file cannot be used, the last good one is kept', { err: (error as Error).message });
      if (this.#metrics.config) this.#metrics.config = { ...this.#metrics.config, succeeded: false };
      return false;
    }
  }

  #take(config: LoadedConfig): void {
    this.#value = config;
    this.#lookedAt = this.#clock.monotonicSeconds();
    this.#metrics.config = {
      succeeded: true,
      lastSuccess: this.#clock.wallSeconds(),
      certificateExpiry: config.identity?.expiresAt,
    };
    for (const listener of this.#listeners) listener(config);
  }
}
