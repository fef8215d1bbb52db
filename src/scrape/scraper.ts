import { setImmediate } from 'node:timers/promises';
import type { Host } from '../host/host.ts';
import type { OwnProcess } from '../host/own-process.ts';
import { encode, type ExpositionFormat } from '../metrics/exposition.ts';
import { Families, type Family } from '../metrics/families.ts';
import { LabelSets } from '../metrics/labels.ts';
import type { CollectorRun, CollectorStatus } from './collector-run.ts';
import { addProcess } from './process-metrics.ts';
import { self } from './self.ts';

export interface ScrapeRequest {
  /** Collectors to run; all enabled ones where absent. */
  readonly names?: ReadonlySet<string>;
  readonly format: ExpositionFormat;
  readonly timeoutSeconds: number;
}

/** Runs the enabled collectors for whoever asks. */
export class Scraper {
  readonly #runs: readonly CollectorRun[];
  readonly #host: Host;
  readonly #readOwnProcess: () => OwnProcess;
  readonly #buildInfo: Family;
  readonly #inFlight = new Map<string, Promise<string>>();

  constructor(spec: { runs: readonly CollectorRun[]; host: Host; readOwnProcess: () => OwnProcess; version: string }) {
    this.#runs = spec.runs;
    this.#host = spec.host;
    this.#readOwnProcess = spec.readOwnProcess;
    const info = new Families();
    const labels = new LabelSets(self.buildInfo.labels).get(spec.version, process.version);
    info.add(self.buildInfo, labels, 1);
    this.#buildInfo = info.list()[0]!;
  }

  /** The names of the enabled collectors. */
  get names(): string[] {
    return this.#runs.map((run) => run.definition.name);
  }

  status(): CollectorStatus[] {
    return this.#runs.map((run) => run.status());
  }

  /** One page of exposition. Those who ask for the same page while it is being made share it. */
  exposition(request: ScrapeRequest): Promise<string> {
    const key = [request.format, ...(request.names ?? ['*'])].join(' ');
    const inFlight = this.#inFlight.get(key) ?? this.#make(request).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, inFlight);
    return inFlight;
  }

  async #make({ names, format, timeoutSeconds }: ScrapeRequest): Promise<string> {
    const deadline = this.#host.clock.monotonicSeconds() + timeoutSeconds;
    const own = new Families();
    const families: Family[] = [];
    for (const run of this.#runs) {
      if (names && !names.has(run.definition.name)) continue;
      // Each collector is a turn of the event loop of its own: other requests and the samplers get theirs in between.
      await setImmediate();
      families.push(...run.collect(deadline, own));
    }
    addProcess(own, this.#readOwnProcess());
    return encode([...families, this.#buildInfo, ...own.list()], format);
  }

  start(): void {
    for (const run of this.#runs) run.start();
  }

  stop(): void {
    for (const run of this.#runs) run.stop();
  }
}
