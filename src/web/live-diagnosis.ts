import { hostMetric, thisMachine } from '../diagnosis/target.ts';
import type { Verdict } from '../diagnosis/verdict.ts';
import type { Watch } from '../diagnosis/watch.ts';
import type { Log } from '../host/log.ts';
import type { Families, Family } from '../metrics/families.ts';
import { noLabels } from '../metrics/labels.ts';
import { metrics } from '../scrape/exporter-metrics.ts';
import type { ExporterMetrics } from '../scrape/scraper.ts';
import type { ListenerReading, ListenerReadings } from './listener-readings.ts';

/** Without a look at the page for so long, samples are forgotten and no more are kept. */
const forgottenAfterMs = 15 * 60_000;

/** The result of a look. */
export interface LiveVerdict {
  /** Absent until two scrapes have come. */
  verdict?: Verdict;
  /** The listeners of a guest, the fullest first. Absent on a host. */
  listeners?: readonly ListenerReading[];
  /** Scrapes since `since`. */
  scrapes: number;
  /** Unix time in milliseconds at which samples began to be kept. */
  since: number;
}

/** The state that is kept while somebody looks. */
interface Kept {
  since: number;
  scrapes: number;
  isHost: boolean;
  watch: Watch;
  listeners: ListenerReadings;
}

/** The verdict about this machine from what scrapes bring, kept only while somebody looks at it. */
export class LiveDiagnosis implements ExporterMetrics {
  readonly #log: Log;
  readonly #now: () => number;
  #kept: Kept | undefined;
  #lastLook = -Infinity;

  /** `now`: Unix time in milliseconds. */
  constructor(log: Log, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
  }

  /** Takes what a scrape has found, if somebody looks. */
  observe(families: readonly Family[]): void {
    if (this.#now() - this.#lastLook > forgottenAfterMs) this.#kept = undefined;
    if (this.#kept) this.#take(this.#kept, families);
  }

  /** The verdict of the last scrape. The first look begins to keep samples. */
  async look(): Promise<LiveVerdict> {
    this.#lastLook = this.#now();
    this.#kept ??= await this.#begin();
    const { since, scrapes, isHost, watch, listeners } = this.#kept;
    if (scrapes < 2) return { since, scrapes };
    return { since, scrapes, verdict: watch.verdict(), ...(!isHost && { listeners: listeners.list }) };
  }

  addTo(out: Families): void {
    const { series, samples } = this.#kept?.watch.size ?? { series: 0, samples: 0 };
    out.add(metrics.diagnosisSeries, noLabels, series);
    out.add(metrics.diagnosisSamples, noLabels, samples);
  }

  /** Loads what most daemons never need. Two first looks at once share what the quicker one began. */
  async #begin(): Promise<Kept> {
    const [{ Watch }, { compiledPack }, { ListenerReadings }] = await Promise.all([
      import('../diagnosis/watch.ts'),
      import('../diagnosis/compiled-pack.ts'),
      import('./listener-readings.ts'),
    ]);
    const watch = new Watch(await compiledPack());
    return this.#kept ?? { since: this.#now(), scrapes: 0, isHost: false, watch, listeners: new ListenerReadings() };
  }

  #take(kept: Kept, families: readonly Family[]): void {
    try {
      const time = this.#now();
      kept.isHost = families.some(({ descriptor: { name } }) => hostMetric.test(name));
      kept.listeners.take(families, time);
      kept.watch.observe(thisMachine(kept.isHost), families, time);
      kept.watch.step(time);
      kept.scrapes += 1;
    } catch (error) {
      this.#log.error('Cannot diagnose what a scrape brought', { err: (error as Error).message });
    }
  }
}
