import type { Collector, CollectorDefinition } from '../collectors/collector.ts';
import { withDeadline, type Host } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import { Families, type Family } from '../metrics/families.ts';
import { LabelSets } from '../metrics/labels.ts';
import { startBackground, type RunningBackground } from './background.ts';
import { startSampler, type RunningSampler } from './sampler.ts';
import { self } from './self.ts';

/** A collector's state as the landing page shows it. */
export interface CollectorStatus {
  readonly name: string;
  readonly help: string;
  /** True, or why what it reads is not here. */
  readonly available: true | string;
  /** What of it cannot be read here, and why. */
  readonly lacks: string | undefined;
  /** Why it last failed; absent where it did not. */
  readonly error?: string;
  readonly series: number;
}

const oneLabel = new LabelSets(['collector']);
const samplerLabel = new LabelSets(['sampler']);

/** One enabled collector: runs it in a scrape, keeps its samplers and background work going, knows how it fares. */
export class CollectorRun {
  readonly definition: CollectorDefinition;
  readonly #collector: Collector;
  readonly #host: Host;
  readonly #log: Log;
  readonly #maxSeries: number;
  #sampler: RunningSampler | undefined;
  #background: RunningBackground | undefined;
  #applies: true | string = 'not asked yet';
  #error: Error | undefined;
  #loggedError: string | undefined;
  #lastSuccess: number | undefined;
  #series = 0;
  #dropped = 0;

  constructor(spec: {
    definition: CollectorDefinition;
    collector: Collector;
    host: Host;
    log: Log;
    maxSeries: number;
  }) {
    this.definition = spec.definition;
    this.#collector = spec.collector;
    this.#host = spec.host;
    this.#log = spec.log;
    this.#maxSeries = spec.maxSeries;
  }

  /** Starts the work that goes on between scrapes. */
  start(): void {
    const { sampler, background } = this.#collector;
    if (background) this.#background = startBackground(background);
    if (sampler && sampler.hertz > 0) this.#sampler = startSampler(sampler, this.#host.clock);
  }

  /** Ends it. */
  stop(): void {
    this.#sampler?.[Symbol.dispose]();
    this.#background?.[Symbol.dispose]();
  }

  status(): CollectorStatus {
    const { name, help } = this.definition;
    const error = this.#failure();
    return {
      name,
      help,
      available: this.#collector.applies(),
      lacks: this.#collector.lacks?.(),
      series: this.#series,
      ...(error && { error: error.message }),
    };
  }

  /** Collects, by `deadline` (monotonic seconds), and adds what there is to say of the run to `own`. Never throws. */
  collect(deadline: number, own: Families): Family[] {
    const { clock } = this.#host;
    const begin = clock.monotonicSeconds();
    const out = new Families(this.#maxSeries);
    this.#attempt(out, deadline);
    const isGood = this.#applies === true && !this.#error;
    const families = isGood ? out.list() : [];
    this.#series = isGood ? out.series : 0;
    this.#dropped += out.dropped;
    const failure = this.#failure();
    this.#logChange(failure);
    if (!failure && this.#applies === true) this.#lastSuccess = clock.wallSeconds();

    const labels = oneLabel.get(this.definition.name);
    own.add(self.duration, labels, clock.monotonicSeconds() - begin);
    own.add(self.success, labels, failure ? 0 : 1);
    own.add(self.available, labels, this.#applies === true ? 1 : 0);
    own.add(self.series, labels, this.#series);
    own.add(self.lastSuccess, labels, this.#lastSuccess);
    own.add(self.seriesDropped, labels, this.#dropped);
    this.#addSampler(own);
    return families;
  }

  #attempt(out: Families, deadline: number): void {
    this.#error = undefined;
    // Where it applied at the last scrape it is asked again only if nothing comes of it: the question costs a file or two.
    if (this.#applies !== true) this.#applies = this.#collector.applies();
    if (this.#applies !== true) return;
    try {
      this.#collector.collect({ host: withDeadline(this.#host, deadline), out });
    } catch (error) {
      this.#error = error as Error;
    }
    if (out.series > 0 && !this.#error) return;
    this.#applies = this.#collector.applies();
    if (this.#applies !== true) this.#error = undefined;
  }

  #failure(): Error | undefined {
    return this.#error ?? this.#background?.state.error ?? this.#sampler?.state.error;
  }

  #logChange(failure: Error | undefined): void {
    const message = failure?.message;
    if (message === this.#loggedError) return;
    const collector = this.definition.name;
    if (message === undefined) this.#log.info('Collector recovered', { collector });
    else if (this.#loggedError === undefined) this.#log.error('Collector failed', { collector, err: message });
    this.#loggedError = message;
  }

  #addSampler(own: Families): void {
    if (!this.#sampler) return;
    const { name, state } = this.#sampler;
    const labels = samplerLabel.get(name);
    own.add(self.samples, labels, state.samples);
    own.add(self.skippedSamples, labels, state.skipped);
    own.add(self.samplerCpu, labels, state.cpuSeconds);
  }
}
