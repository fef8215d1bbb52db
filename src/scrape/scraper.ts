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
  /** Collectors to run. Default: all enabled ones. */
  readonly names?: ReadonlySet<string>;
  readonly format: ExpositionFormat;
  readonly encoding: 'gzip' | 'identity';
  readonly timeoutSeconds: number;
}

// Concurrent pages of some collectors: many different ones would delay the page of all and need much memory.
const mostPartialAtOnce = 2;

// Other requests and the samplers get the event loop at least this often.
const longestTurnSeconds = 0.005;

/** A part of the exporter that has metrics. */
export interface ExporterMetrics {
  addTo(out: Families): void;
}

/** Runs the enabled collectors for clients. */
export class Scraper {
  readonly #runs: readonly CollectorRun[];
  readonly #host: Host;
  readonly #readOwnProcess: () => OwnProcess;
  readonly #buildInfo: Family;
  readonly #background: Background;
  readonly #own: readonly ExporterMetrics[];
  readonly #mostUnderWay: number;
  /** Running scrapes by page, with their deadlines. */
  readonly #inFlight = new Map<string, { readonly page: Promise<Buffer | undefined>; readonly deadline: number }>();
  #observer: ((families: readonly Family[]) => void) | undefined;
  #partial = 0;
  /** Scrapes of some collectors that wait for their turn. */
  readonly #waiting: (() => void)[] = [];

  constructor(spec: {
    runs: readonly CollectorRun[];
    host: Host;
    background: Background;
    own: readonly ExporterMetrics[];
    readOwnProcess: () => OwnProcess;
    version: string;
    /** Maximum number of running scrapes. */
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

  /** Calls `observer` with all that each scrape of all collectors has found. */
  observe(observer: (families: readonly Family[]) => void): void {
    this.#observer = observer;
  }

  status(): CollectorStatus[] {
    return this.#runs.map((run) => run.status());
  }

  /**
   * One page of exposition. Concurrent requests for the same page share one scrape. A request with more than twice the
   * remaining time waits and then starts a new scrape. Undefined if too many other pages are being made, or if they
   * delay this one too long. The page of all collectors always has a slot.
   */
  exposition(request: ScrapeRequest): Promise<Buffer | undefined> | undefined {
    return this.#page(request, this.#host.clock.monotonicSeconds() + request.timeoutSeconds);
  }

  #page(request: ScrapeRequest, deadline: number): Promise<Buffer | undefined> | undefined {
    const key = [request.format, request.encoding, ...(request.names ? [...request.names].sort() : ['*'])].join(' ');
    const underWay = this.#inFlight.get(key);
    if (underWay) {
      if (this.#left(underWay.deadline) >= this.#left(deadline) / 2) return underWay.page;
      return underWay.page.catch(() => {}).then(() => this.#page(request, deadline));
    }
    if (request.names && this.#inFlight.size >= this.#mostUnderWay) return undefined;
    const made = request.names ? this.#makePartial(request, deadline) : this.#make(request, deadline);
    const page = made.finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, { page, deadline });
    return page;
  }

  #left(deadline: number): number {
    return deadline - this.#host.clock.monotonicSeconds();
  }

  async #makePartial(request: ScrapeRequest, deadline: number): Promise<Buffer | undefined> {
    while (this.#partial >= mostPartialAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#partial += 1;
    try {
      // Collectors without time left fail.
      return this.#left(deadline) < request.timeoutSeconds / 2 ? undefined : await this.#make(request, deadline);
    } finally {
      this.#partial -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #make({ names, format, encoding }: ScrapeRequest, deadline: number): Promise<Buffer> {
    const { clock } = this.#host;
    let turn = clock.monotonicSeconds();
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
    const all = [...families, this.#buildInfo, ...own.list()];
    if (!names) this.#observer?.(all);
    const page = encoding === 'gzip' ? new GzipPage() : new PlainPage();
    for await (const piece of encode(all, format)) {
      page.add(Buffer.from(piece));
      await yieldToEventLoop();
    }
    return page.end();
  }

  start(): void {
    for (const run of this.#runs) run.start();
  }

  /** Resolves when all running work has ended. */
  async stop(): Promise<void> {
    this.#background.stop();
    await Promise.all(this.#runs.map((run) => run.stop()));
  }
}
