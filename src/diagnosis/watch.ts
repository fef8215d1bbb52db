import type { Family } from '../metrics/families.ts';
import { alertsName } from '../promql/active-alerts.ts';
import { Labels, type Sample } from '../promql/labels.ts';
import { Recorder } from '../promql/recorder.ts';
import { Feed, Store } from '../promql/store.ts';
import { defaultLookbackMs, windowsOf, type Rule } from '../promql/tree.ts';
import type { CompiledPack } from './compiled-pack.ts';
import { readExposition } from './exposition.ts';
import { readFamilies } from './families.ts';
import { judge } from './judge.ts';
import type { Target } from './target.ts';
import type { Unseen, Verdict } from './verdict.ts';

/**
 * An alert waits so much shorter than its rule says, and no longer than this, because a person waits for the verdict.
 */
const waitShare = 0.1;
const longestWaitMs = 20_000;
/** The share of the window that an alert waits at most. */
const longestWaitShare = 2 / 3;
/** Samples are kept so long at least: a target may not be read for a while. */
const leastKeptMs = 60_000;
/** Bounds the memory: series with a minute of samples take about 1 KB each. */
const defaultMaxSeries = 100_000;

const impatient = (rule: Rule, windowMs: number): Rule => {
  if (!('alert' in rule)) return rule;
  const forMs = Math.min(rule.forMs * waitShare, longestWaitMs, windowMs * longestWaitShare);
  return { ...rule, forMs, keepFiringForMs: 0 };
};

/** Samples of exporters over time, with the rows and alerts of the rule pack. */
export class Watch {
  readonly #pack: CompiledPack;
  readonly #rules: readonly Rule[];
  readonly #store: Store;
  readonly #recorder: Recorder;
  /** The metrics of exporters that rules read. */
  readonly #wanted: ReadonlySet<string>;
  readonly #feeds = new Map<string, Feed>();
  readonly #targets = new Map<string, Target>();
  /** Names of metrics by the instance that has them. */
  readonly #metrics = new Map<string, Set<string>>();
  readonly #windowMs: number;
  readonly #maxSeries: number;
  #began: number | undefined;
  #time = 0;
  #failures: Unseen[] = [];

  /** `windowSeconds`: ranges look back no longer than this. */
  constructor(
    pack: CompiledPack,
    { windowSeconds = Infinity, maxSeries = defaultMaxSeries }: { windowSeconds?: number; maxSeries?: number } = {},
  ) {
    this.#windowMs = windowSeconds * 1000;
    this.#maxSeries = maxSeries;
    this.#pack = pack;
    this.#rules = pack.rules.map((rule) => impatient(rule, this.#windowMs));
    const windows = windowsOf(this.#rules.map(({ expr }) => expr));
    const rows = new Set(this.#rules.map((rule) => ('alert' in rule ? alertsName : rule.record)));
    // A guest controls its page, which must not add to what the rules record.
    this.#wanted = new Set([...windows.keys()].filter((name) => !rows.has(name)));
    // Samples behind the window are never read. Rows that no rule reads are read by the verdict.
    const longestMs = Math.max(this.#windowMs, leastKeptMs);
    const kept = [...windows].map(([name, ms]) => [name, rows.has(name) ? ms : Math.min(ms, longestMs)] as const);
    this.#store = new Store(
      new Map([...[...rows].map((name) => [name, defaultLookbackMs] as const), ...kept]),
      maxSeries,
    );
    this.#recorder = new Recorder(this.#rules, { store: this.#store });
  }

  /** Series and samples in memory. */
  get size(): { series: number; samples: number } {
    return this.#store.size;
  }

  /**
   * Takes what a target served at a time (Unix milliseconds): a page, or the families that it is made of. Throws an
   * ExpositionError, and then takes nothing.
   */
  observe(target: Target, page: string | Iterable<Family>, time: number): void {
    const names = new Set<string>();
    const isWanted = (metric: string): boolean => {
      names.add(metric).add(metric.replace(/_(?:bucket|sum|count)$/, ''));
      return this.#wanted.has(metric);
    };
    const labels = this.#labelsOf(target);
    const samples =
      typeof page === 'string' ? readExposition(page, isWanted, labels) : readFamilies(page, isWanted, labels);
    this.#metrics.set(target.instance, names);
    this.#write(target, [...samples, this.#up(target, 1)], time);
  }

  /** Records that a target did not answer. */
  lose(target: Target, time: number): void {
    this.#write(target, [this.#up(target, 0)], time);
  }

  /** Evaluates the rules. Call it after the targets of a moment have been taken. */
  step(time: number): void {
    this.#began ??= time;
    this.#time = time;
    this.#failures = this.#recorder
      .record(time, this.#rangeAt(time))
      .map(({ rule, error }) => ({ what: rule, why: error.message }));
  }

  /** Returns the verdict at the time of the last step. `unseen` is what the caller could not read. */
  verdict(unseen: readonly Unseen[] = []): Verdict {
    const time = this.#time;
    const observedMs = this.#observedAt(time);
    return judge({
      pack: this.#pack,
      rules: this.#rules,
      moment: { store: this.#store, time, longestRangeMs: this.#rangeAt(time) },
      windowMs: Math.min(observedMs, this.#windowMs),
      observedMs,
      targets: [...this.#targets.values()],
      metrics: this.#metrics,
      unseen: [
        ...unseen,
        ...this.#failures,
        ...(this.#store.size.series < this.#maxSeries
          ? []
          : [{ what: 'some series', why: `there are more than ${this.#maxSeries}` }]),
      ],
    });
  }

  #labelsOf({ instance, isHost }: Target): Record<string, string> {
    return { job: 'xen', instance, xen_role: isHost ? 'host' : 'guest' };
  }

  #up(target: Target, value: number): Sample {
    return { name: 'up', labels: Labels.of(Object.entries(this.#labelsOf(target))), value };
  }

  #write(target: Target, samples: Sample[], time: number): void {
    this.#targets.set(target.instance, target);
    let feed = this.#feeds.get(target.instance);
    if (!feed) this.#feeds.set(target.instance, (feed = new Feed(this.#store)));
    feed.write(samples, time);
  }

  /** The time since the first step. */
  #observedAt(time: number): number {
    return time - (this.#began ?? time);
  }

  /** The longest range. It leaves out its left end, and takes in the samples of the first step. */
  #rangeAt(time: number): number {
    return Math.min(this.#observedAt(time) + 1, this.#windowMs);
  }
}
