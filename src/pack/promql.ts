import dedent from 'dedent';

const seconds = (count: number): string => (count % 60 === 0 ? `${count / 60}m` : `${count}s`);

const secondsOf = (window: string): number => Number.parseInt(window, 10) * (window.endsWith('m') ? 60 : 1);

/** A window in words: `minute`, `4 minutes`, `90 seconds`. */
export const inWords = (window: string): string => {
  const [count, unit] =
    secondsOf(window) % 60 === 0 ? [secondsOf(window) / 60, 'minute'] : [secondsOf(window), 'second'];
  return count === 1 ? unit : `${count} ${unit}s`;
};

/** PromQL over several lines, without the indentation of the source. An inserted expression of several lines is indented like the line that it begins on. */
export const promql = dedent.withOptions({ alignValues: true, escapeSpecialCharacters: false });

/** What the queries of a pack depend on. */
export interface PromqlOptions {
  /** A regular expression for the label job of all exporters. */
  job: string;
  /** Matchers of the target labels of hosts, such as `xen_role="host"`. */
  hostSelector: string;
  /** Target labels, such as `site`, that the labels of alerts keep. */
  keptLabels: readonly string[];
  /** How often Prometheus scrapes the exporters. */
  scrapeIntervalSeconds: number;
  /** The threshold of the main level of the alert with a name. Throws if there is no such alert. */
  thresholdOf: (alert: string) => number;
}

/** PromQL over the metrics of the exporters: every selector takes the jobs that scrape them. */
export class Promql {
  readonly #options: PromqlOptions;
  readonly #matchers: readonly string[];
  readonly #isRecent: boolean;

  /** `matchers`: those of every selector, beside that of the job. `isRecent`: rates look back over the recent window. */
  constructor(options: PromqlOptions, matchers: readonly string[] = [], isRecent = false) {
    this.#options = options;
    this.#matchers = matchers;
    this.#isRecent = isRecent;
  }

  /** PromQL over the metrics of those exporters that Prometheus marks as hosts: Dom0s and driver domains. */
  get ofHosts(): Promql {
    return new Promql(this.#options, [this.#options.hostSelector], this.#isRecent);
  }

  /** PromQL whose rates look back over the recent window. */
  get recently(): Promql {
    return new Promql(this.#options, this.#matchers, true);
  }

  /** Target labels that the labels of alerts keep. */
  get keptLabels(): readonly string[] {
    return this.#options.keptLabels;
  }

  /** The threshold of the main level of the alert with this name. Throws if there is no such alert. */
  threshold(alert: string): number {
    return this.#options.thresholdOf(alert);
  }

  /** How far back rates look: long enough for a mean also where scrapes fail, short enough for a page. */
  get rateWindow(): string {
    return this.#isRecent ? this.recentWindow : this.#windowOf(300, 8);
  }

  /** A window of this length, or a longer one that still holds four scrapes. A window of Prometheus 3 leaves out the sample at its left end. */
  window(leastSeconds: number): string {
    return this.#windowOf(leastSeconds, 4);
  }

  /** How far back a notification looks for present harm. */
  get recentWindow(): string {
    return this.window(60);
  }

  /** A window of this length, or a longer one that still holds two scrapes. */
  shortWindow(leastSeconds: number): string {
    return this.#windowOf(leastSeconds, 2);
  }

  #windowOf(leastSeconds: number, scrapes: number): string {
    return seconds(Math.max(leastSeconds, scrapes * this.#options.scrapeIntervalSeconds));
  }

  /** Growth of a counter per second, over the short window if that holds two scrapes, or over the other one. */
  recentRate(leastSeconds: number, name: string, ...matchers: readonly string[]): string {
    const windows = new Set([this.shortWindow(leastSeconds), this.window(leastSeconds)]);
    const rates = [...windows].map((each) => `rate(${this.metric(name, ...matchers)}[${each}])`);
    return rates.length === 1 ? rates[0]! : `(${rates.join(' or ')})`;
  }

  /** A selector of a metric, with matchers such as `mode="steal"`. */
  metric(name: string, ...matchers: readonly string[]): string {
    return `${name}{${[`job=~${JSON.stringify(this.#options.job)}`, ...this.#matchers, ...matchers].join(',')}}`;
  }

  /** The last value of a metric, also where scrapes have failed since: for as long as a rate can be had. */
  recent(name: string, ...matchers: readonly string[]): string {
    return `last_over_time(${this.metric(name, ...matchers)}[${this.rateWindow}])`;
  }

  /**
   * The value of a metric; while its exporter does not answer, its last. A starved exporter misses scrapes, and without a value every alert's `for`
   * would restart.
   */
  lastKnown(name: string, ...matchers: readonly string[]): string {
    return promql`
      (
        ${this.metric(name, ...matchers)}
          or
        ${this.recent(name, ...matchers)}
          and on (job, instance) ${this.metric('up')} == 0
      )`;
  }

  /** Growth of a counter per second. */
  rate(name: string, ...matchers: readonly string[]): string {
    return `rate(${this.metric(name, ...matchers)}[${this.rateWindow}])`;
  }
}

/** Each guest's values from the exporter in it, with the uuid of the guest. `expr` has the labels job and instance. */
export const withGuest = (expr: string): string => promql`
  ${expr}
    * on (instance) group_left (uuid) instance:xen_guest_uuid:info`;

/** Each guest's values from the exporters of its host, with the uuid of the guest. `expr` has the labels job, instance and domain. */
export const withDomain = (expr: string): string => promql`
  ${expr}
    * on (instance, domain) group_left (uuid) instance_domain:xen_domain_uuid:info`;

/** One value by these labels. */
export const by = (aggregation: 'sum' | 'max' | 'min' | 'count', labels: string, expr: string): string => promql`
  ${aggregation} by (${labels}) (
    ${expr}
  )`;

/**
 * A selector of Prometheus's own series of alerts about guests and hosts, which have no label job. Every scraped series has one, so no page can add
 * to them.
 */
export const alertSeries = (...matchers: readonly string[]): string => `ALERTS{${['job=""', ...matchers].join(',')}}`;

const record = /\b((?:uuid|instance)\w*:[\w:]+)(\{)?/g;

/**
 * PromQL that reads records alone where it names records. A page may have series of the same names, with the labels of its target; records have no
 * label job.
 */
export const ofRecords = (expr: string): string =>
  expr.replaceAll(record, (_, name: string, brace?: string) => `${name}{job=""${brace === undefined ? '}' : ','}`);
