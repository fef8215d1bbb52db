import { hostname } from 'node:os';
import type { Log } from '../host/log.ts';
import type { Families, Family } from '../metrics/families.ts';
import { noLabels } from '../metrics/labels.ts';
import type { Verdict } from '../diagnosis/verdict.ts';
import type { Watch } from '../diagnosis/watch.ts';
import { metrics } from '../scrape/exporter-metrics.ts';
import type { ExporterMetrics } from '../scrape/scraper.ts';

/** Without a look at the page for so long, samples are forgotten and no more are kept. */
const forgottenAfterMs = 15 * 60_000;
const hostMetric = /^xen_(?:domain|vif)_/;

/** What a look finds. */
export interface LiveVerdict {
  /** Absent until two scrapes have come. */
  verdict?: Verdict;
  /** Scrapes since somebody first looked. */
  scrapes: number;
}

/** The verdict about this machine from what scrapes bring, kept only while somebody looks at it. */
export class LiveDiagnosis implements ExporterMetrics {
  readonly #log: Log;
  readonly #now: () => number;
  #watch: Watch | undefined;
  #scrapes = 0;
  #lastLook = -Infinity;

  /** `now`: Unix time in milliseconds. */
  constructor(log: Log, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
  }

  /** Takes what a scrape has found, if somebody looks. */
  observe(families: readonly Family[]): void {
    if (this.#now() - this.#lastLook > forgottenAfterMs) this.#watch = undefined;
    if (this.#watch) this.#take(this.#watch, families);
  }

  /** The verdict of now. The first look begins to keep samples. */
  async look(): Promise<LiveVerdict> {
    this.#lastLook = this.#now();
    if (!this.#watch) {
      // Loaded at the first look: most daemons never need it.
      const [{ Watch }, { compiledPack }] = await Promise.all([
        import('../diagnosis/watch.ts'),
        import('../diagnosis/compiled-pack.ts'),
      ]);
      const pack = await compiledPack();
      if (!this.#watch) {
        this.#watch = new Watch(pack);
        this.#scrapes = 0;
      }
    }
    return { scrapes: this.#scrapes, ...(this.#scrapes >= 2 && { verdict: this.#watch.verdict() }) };
  }

  addTo(out: Families): void {
    const { series, samples } = this.#watch?.size ?? { series: 0, samples: 0 };
    out.add(metrics.diagnosisSeries, noLabels, series);
    out.add(metrics.diagnosisSamples, noLabels, samples);
  }

  #take(watch: Watch, families: readonly Family[]): void {
    try {
      const isHost = families.some(({ descriptor: { name } }) => hostMetric.test(name));
      const time = this.#now();
      watch.observe({ instance: hostname(), isHost }, families, time);
      watch.step(time);
      this.#scrapes += 1;
    } catch (error) {
      this.#log.error('Cannot diagnose what a scrape brought', { err: (error as Error).message });
    }
  }
}
