import { setImmediate } from 'node:timers/promises';
import type { Host } from '../host/host.ts';
import type { OwnProcess } from '../host/own-process.ts';
import { encode, type ExpositionFormat } from '../metrics/exposition.ts';
import { Families, type Family } from '../metrics/families.ts';
import { LabelSets } from '../metrics/labels.ts';
import type { Background } from './background.ts';
import type { CollectorRun, CollectorStatus } from './collector-run.ts';
import { GzipPage, PlainPage } from './page.ts';
import { addProcess } from './process-metrics.ts';
import { metrics } from './exporter-metrics.ts';

export interface ScrapeRequest {
  /** Collectors to run; all enabled ones where absent. */
  readonly names?: ReadonlySet<string>;
  readonly format: ExpositionFormat;
  readonly encoding: 'gzip' | 'identity';
  readonly timeoutSeconds: number;
}

// Other requests and the samplers get their turn of the event loop at least this often.
const longestTurnSeconds = 0.005;

/** Something of the exporter's own that has metrics. */
export interface ExporterMetrics {
  addTo(out: Families): void;
}

/** Runs the enabled collectors for whoever asks. */
export class Scraper {
  readonly #runs: readonly CollectorRun[];
  readonly #host: Host;
  readonly #readOwnProcess: () => OwnProcess;
  readonly #buildInfo: Family;
  readonly #background: Background;
  readonly #own: readonly ExporterMetrics[];
  readonly #mostUnderWay: number;
  /** The scrape under way of each page; of two, the one that may take longer. */
  readonly #inFlight = new Map<string, { readonly page: Promise<Buffer>; readonly timeoutSeconds: number }>();
  #underWay = 0;

  constructor(spec: {
    runs: readonly CollectorRun[];
    host: Host;
    background: Background;
    own: readonly ExporterMetrics[];
    readOwnProcess: () => OwnProcess;
    version: string;
    /** Scrapes that may be under way at once. */
    mostUnderWay: number;
  }) {
    this.#mostUnderWay = spec.mostUnderWay;
    this.#background = spec.background;
    this.#own = spec.own;
    this.#runs = spec.runs;
    this.#host = spec.host;
    this.#readOwnProcess = spec.readOwnProcess;
    const info = new Families();
    const labels = new LabelSets(metrics.buildInfo.labels).get(spec.version, process.version);
    info.add(metrics.buildInfo, labels, 1);
    this.#buildInfo = info.list()[0]!;
  }

  /** The names of the enabled collectors. */
  get names(): string[] {
    return this.#runs.map((run) => run.definition.name);
  }

  status(): CollectorStatus[] {
    return this.#runs.map((run) => run.status());
  }

  /**
   * One page of exposition. Those who ask for the same page while it is being made share it, unless they have more time for it. Undefined where too
   * many other pages are being made; the page of all collectors always has a place.
   */
  exposition(request: ScrapeRequest): Promise<Buffer> | undefined {
    const key = [request.format, request.encoding, ...(request.names ?? ['*'])].join(' ');
    const underWay = this.#inFlight.get(key);
    const isFull = this.#underWay >= this.#mostUnderWay;
    if (underWay && (isFull || underWay.timeoutSeconds >= request.timeoutSeconds)) return underWay.page;
    if (isFull && request.names) return undefined;
    this.#underWay += 1;
    const page = this.#make(request).finally(() => {
      this.#underWay -= 1;
      if (this.#inFlight.get(key)?.page === page) this.#inFlight.delete(key);
    });
    this.#inFlight.set(key, { page, timeoutSeconds: request.timeoutSeconds });
    return page;
  }

  async #make({ names, format, encoding, timeoutSeconds }: ScrapeRequest): Promise<Buffer> {
    const { clock } = this.#host;
    let turn = clock.monotonicSeconds();
    const deadline = turn + timeoutSeconds;
    const yieldToEventLoop = (): Promise<void> | undefined => {
      if (clock.monotonicSeconds() - turn < longestTurnSeconds) return undefined;
      return setImmediate().then(() => {
        turn = clock.monotonicSeconds();
      });
    };
    const own = new Families();
    const families: Family[] = [];
    for (const run of this.#runs) {
      if (names && !names.has(run.definition.name)) continue;
      families.push(...(await run.collect(deadline, own, yieldToEventLoop)));
      await yieldToEventLoop();
    }
    for (const each of this.#own) each.addTo(own);
    addProcess(own, this.#readOwnProcess());
    const page = encoding === 'gzip' ? new GzipPage() : new PlainPage();
    for await (const piece of encode([...families, this.#buildInfo, ...own.list()], format)) {
      page.add(Buffer.from(piece));
      await yieldToEventLoop();
    }
    return page.end();
  }

  start(): void {
    for (const run of this.#runs) run.start();
  }

  /** Resolves when nothing that was begun goes on. */
  async stop(): Promise<void> {
    this.#background.stop();
    await Promise.all(this.#runs.map((run) => run.stop()));
  }
}
