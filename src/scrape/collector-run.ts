import type { Collector, CollectorDefinition } from '../collectors/collector.ts';
import { withDeadline, type Host } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import { Unavailable, type Availability } from '../host/unavailable.ts';
import { Families, type Family } from '../metrics/families.ts';
import { LabelSets } from '../metrics/labels.ts';
import { Output, SeriesState } from '../metrics/output.ts';
import type { Background } from './background.ts';
import { startSampler, type RunningSampler } from './sampler.ts';
import { metrics } from './exporter-metrics.ts';

/** A collector's state for the landing page. */
export interface CollectorStatus {
  readonly name: string;
  readonly help: string;
  /** Whether its subject exists here. */
  readonly availability: Availability;
  /** The part that cannot be read here, and why. */
  readonly limitations: string | undefined;
  /** Error of the last run; absent if it succeeded. */
  readonly error?: string;
  readonly series: number;
  /** Names of the metrics of its last run. */
  readonly metrics: readonly string[];
}

// A client chooses its scrape timeout, so it can make a collector fail and recover with every other request.
const mostLinesPerMinute = 10;

const oneLabel = new LabelSets(['collector']);
const samplerLabel = new LabelSets(['sampler']);

/** One enabled collector: runs it in scrapes, runs its samplers and background work, and tracks its state. */
export class CollectorRun {
  readonly definition: CollectorDefinition;
  readonly #collector: Collector;
  readonly #host: Host;
  readonly #log: Log;
  readonly #maxSeries: number;
  readonly #background: Background;
  readonly #state = new SeriesState();
  #sampler: RunningSampler | undefined;
  #isStarted = false;
  #inFlight: { readonly families: Promise<Family[]>; readonly deadline: number } | undefined;
  #availability: Availability = new Unavailable('not asked yet');
  #error: Error | undefined;
  #isLoggedAsFailed = false;
  #lines = { count: 0, since: -Infinity };
  #lastSuccess: number | undefined;
  #seconds = 0;
  #series = 0;
  #metrics: readonly string[] = [];
  #dropped = 0;
  #skipped: Output['skipped'];

  constructor(spec: {
    definition: CollectorDefinition;
    collector: Collector;
    host: Host;
    log: Log;
    maxSeries: number;
    background: Background;
  }) {
    this.definition = spec.definition;
    this.#collector = spec.collector;
    this.#host = spec.host;
    this.#log = spec.log;
    this.#maxSeries = spec.maxSeries;
    this.#background = spec.background;
  }

  /** Starts the work between scrapes. */
  start(): void {
    const { background = [], sharedTasks = [] } = this.#collector;
    for (const task of [...background, ...sharedTasks]) this.#background.start(task);
    this.#isStarted = true;
    if (this.#askAvailability() === true) this.#startSampler();
  }

  /** Stops the sampler and closes the collector. Background tasks belong to their runner. Never rejects. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#sampler?.[Symbol.dispose]();
    try {
      await this.#collector.close?.();
    } catch (error) {
      const err = (error as Error).message;
      this.#log.error('Cannot close the collector', { collector: this.definition.name, err });
    }
  }

  /** Starts only when there is something to sample, because each sample wakes the process. */
  #startSampler(): void {
    const { sampler } = this.#collector;
    if (this.#sampler || !this.#isStarted || !sampler || sampler.hertz === 0) return;
    this.#sampler = startSampler(sampler, this.#host.clock);
  }

  status(): CollectorStatus {
    const { name, help } = this.definition;
    const error = this.#failure();
    return {
      name,
      help,
      availability: this.#askAvailability(),
      limitations: this.#limitations(),
      series: this.#series,
      metrics: this.#metrics,
      ...(error && { error: error.message }),
    };
  }

  /** An unreadable folder makes a collector absent. It must not fail the page. */
  #askAvailability(): Availability {
    try {
      return this.#collector.availability();
    } catch (error) {
      return Unavailable.because(error);
    }
  }

  #limitations(): string | undefined {
    const { items = 0, first } = this.#skipped ?? {};
    const skipped = first && `${items} unreadable ${items === 1 ? 'item' : 'items'}, the first ${first.message}`;
    return [this.#collector.limitations?.(), skipped].filter(Boolean).join('; ') || undefined;
  }

  /**
   * Collects until `deadline` (monotonic seconds) and adds the run's own metrics to `own`. Calls `yieldToEventLoop`
   * between the steps of a long run and waits for it. Concurrent callers share one run. Never rejects.
   */
  async collect(deadline: number, own: Families, yieldToEventLoop: () => Promise<void> | undefined): Promise<Family[]> {
    const families = await this.#shared(deadline, yieldToEventLoop);
    const failure = this.#failure();
    const labels = oneLabel.get(this.definition.name);
    own.add(metrics.duration, labels, this.#seconds);
    own.add(metrics.success, labels, failure ? 0 : 1);
    own.add(metrics.available, labels, this.#availability === true ? 1 : 0);
    own.add(metrics.series, labels, this.#series);
    own.add(metrics.lastSuccess, labels, this.#lastSuccess);
    own.add(metrics.skippedItems, labels, this.#skipped?.items ?? 0);
    own.add(metrics.seriesDropped, labels, this.#dropped);
    own.add(metrics.counterResets, labels, this.#state.resets);
    this.#addSampler(own);
    return families;
  }

  /** Joins the run in flight unless its deadline leaves less than half our time; then runs again after it. */
  async #shared(deadline: number, yieldToEventLoop: () => Promise<void> | undefined): Promise<Family[]> {
    const left = (until: number): number => until - this.#host.clock.monotonicSeconds();
    while (this.#inFlight && left(this.#inFlight.deadline) < left(deadline) / 2) await this.#inFlight.families;
    this.#inFlight ??= {
      deadline,
      families: this.#collect(deadline, yieldToEventLoop).finally(() => (this.#inFlight = undefined)),
    };
    return this.#inFlight.families;
  }

  async #collect(deadline: number, yieldToEventLoop: () => Promise<void> | undefined): Promise<Family[]> {
    const { clock } = this.#host;
    const begin = clock.monotonicSeconds();
    const out = new Families(this.#maxSeries);
    await this.#attempt(out, deadline, yieldToEventLoop);
    const isGood = this.#availability === true && !this.#error;
    this.#series = isGood ? out.series : 0;
    this.#dropped += out.dropped;
    const failure = this.#failure();
    this.#logChange(failure);
    if (!failure && this.#availability === true) this.#lastSuccess = this.#successTime();
    this.#seconds = clock.monotonicSeconds() - begin;
    const families = isGood ? out.list() : [];
    this.#metrics = families.map(({ descriptor }) => descriptor.name);
    return families;
  }

  async #attempt(out: Families, deadline: number, yieldToEventLoop: () => Promise<void> | undefined): Promise<void> {
    this.#error = undefined;
    this.#skipped = undefined;
    // If it was available at the last scrape, recheck only if this run fails: the check costs a file or two.
    if (this.#availability !== true) this.#availability = this.#askAvailability();
    if (this.#availability !== true) return;
    this.#startSampler();
    try {
      const output = new Output(this.#state, out, this.#host.clock.monotonicSeconds());
      const steps = this.#collector.collect({ host: withDeadline(this.#host, deadline), out: output });
      for (const _ of steps ?? []) {
        const pause = yieldToEventLoop();
        if (pause) await pause;
      }
      this.#skipped = output.skipped;
      this.#state.end(out);
      // Not one item could be read.
      if (out.series === 0 && !this.#isWaiting()) this.#error = this.#skipped?.first;
    } catch (error) {
      this.#error = error as Error;
      this.#state.abandon();
    }
    if (out.series > 0 && !this.#error) return;
    this.#availability = this.#askAvailability();
    if (this.#availability !== true) this.#error = undefined;
  }

  /** Whether it waits for shared readings, such as domain names. It may get series then. */
  #isWaiting(): boolean {
    return (this.#collector.sharedTasks ?? []).some((task) => {
      const { lastSuccess, error } = this.#background.stateOf(task) ?? {};
      return lastSuccess === undefined && error === undefined;
    });
  }

  /** A collector is as old as the oldest of its background readings. */
  #successTime(): number | undefined {
    const times = (this.#collector.background ?? []).map((task) => this.#background.stateOf(task)?.lastSuccess);
    if (times.length === 0) return this.#host.clock.wallSeconds();
    return times.includes(undefined) ? undefined : Math.min(...(times as number[]));
  }

  #failure(): Error | undefined {
    const ofBackground = (this.#collector.background ?? []).map(
      (task) => this.#background.stateOf(task)?.error ?? task.staleness,
    );
    return this.#error ?? ofBackground.find((error) => error !== undefined) ?? this.#sampler?.state.error;
  }

  #logChange(failure: Error | undefined): void {
    const message = failure?.message;
    if ((message === undefined) === !this.#isLoggedAsFailed) return;
    const now = this.#host.clock.monotonicSeconds();
    if (now - this.#lines.since > 60) this.#lines = { count: 0, since: now };
    if (this.#lines.count >= mostLinesPerMinute) return;
    this.#lines.count += 1;
    const collector = this.definition.name;
    if (message === undefined) this.#log.info('Collector recovered', { collector });
    else this.#log.error('Collector failed', { collector, err: message });
    this.#isLoggedAsFailed = message !== undefined;
  }

  #addSampler(own: Families): void {
    if (!this.#sampler) return;
    const { name, state } = this.#sampler;
    const labels = samplerLabel.get(name);
    own.add(metrics.samples, labels, state.samples);
    own.add(metrics.skippedSamples, labels, state.skipped);
    own.add(metrics.samplerCpu, labels, state.cpuSeconds);
  }
}
