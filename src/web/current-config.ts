import type { Clock } from '../host/clock.ts';
import { UsageError } from '../config/usage-error.ts';
import type { Log } from '../host/log.ts';
import type { WebMetrics } from '../scrape/web-metrics.ts';
import { droppedDemands } from './config/security-change.ts';
import { openDoor, type LoadedConfig, type WebConfigFile } from './config/web-config-file.ts';

// Minimum time between two checks of the files for changes.
const restSeconds = 1;

/** The web config in use: the last one that could be read. Only a restart drops a demand on clients. */
export class CurrentConfig {
  readonly #file: WebConfigFile | undefined;
  readonly #log: Log;
  readonly #metrics: WebMetrics;
  readonly #clock: Clock;
  readonly #listeners: ((config: LoadedConfig) => void)[] = [];
  #value: LoadedConfig = openDoor;
  #lookedAt = -Infinity;

  /** Reads the file if there is one. Throws UsageError if it is unusable. */
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

  /** Calls `listener` with the current config and each new one. */
  onChange(listener: (config: LoadedConfig) => void): void {
    this.#listeners.push(listener);
    listener(this.#value);
  }

  /** Reloads the file if it, or a file that it names, changed. Checks at most once a second. */
  refresh(): void {
    const now = this.#clock.monotonicSeconds();
    if (this.#file === undefined || now - this.#lookedAt < restSeconds) return;
    this.#lookedAt = now;
    if (this.#file.changed()) this.reload();
  }

  /** Reloads the file. If it is unusable or would drop a demand on clients, keeps the config and returns false. */
  reload(): boolean {
    if (this.#file === undefined) return true;
    try {
      const next = this.#file.load();
      const dropped = droppedDemands(this.#value, next);
      if (dropped.length > 0) {
        throw new UsageError(
          `${this.#file.path}: expected ${dropped.join(', ')}, now in use: only a restart drops this`,
        );
      }
      this.#take(next);
      this.#log.info('Web config file read again', { path: this.#file.path });
      return true;
    } catch (error) {
      this.#log.error('Web config file cannot be used, keeping the last good one', { err: (error as Error).message });
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
      certificates: { server: config.identity?.validity, client_ca: config.identity?.caValidity },
    };
    for (const listener of this.#listeners) listener(config);
  }
}
