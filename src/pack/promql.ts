import dedent from 'dedent';

const seconds = (count: number): string => (count % 60 === 0 ? `${count / 60}m` : `${count}s`);

const secondsOf = (window: string): number => Number.parseInt(window, 10) * (window.endsWith('m') ? 60 : 1);

/** States a window in words: `minute`, `4 minutes`, `90 seconds`. */
export const inWords = (window: string): string => {
  const [count, unit] =
    secondsOf(window) % 60 === 0 ? [secondsOf(window) / 60, 'minute'] : [secondsOf(window), 'second'];
  return count === 1 ? unit : `${count} ${unit}s`;
};

/**
 * Multi-line PromQL without the source's indentation. An inserted multi-line expression keeps the indentation of its
 * line.
 */
export const promql = dedent.withOptions({ alignValues: true, escapeSpecialCharacters: false });

/** Options that the pack's queries depend on. */
export interface PromqlOptions {
  /** Regular expression for the job label of all exporters. */
  job: string;
  /** Matchers of the target labels of hosts, such as `xen_role="host"`. */
  hostSelector: string;
  /** Target labels, such as `site`, that alerts keep. */
  keptLabels: readonly string[];
  /** How often Prometheus scrapes the exporters. */
  scrapeIntervalSeconds: number;
  /** Threshold of the main level of the named alert. Throws if there is no such alert. */
  thresholdOf: (alert: string) => number;
}

/** PromQL over exporter metrics. Every selector matches the jobs that scrape exporters. */
export class Promql {
  readonly #options: PromqlOptions;
  readonly #matchers: readonly string[];
  readonly #isRecent: boolean;

  /** `matchers` are added to every selector. With `isRecent`, rates look back over the recent window. */
  constructor(options: PromqlOptions, matchers: readonly string[] = [], isRecent = false) {
    this.#options = options;
    this.#matchers = matchers;
    this.#isRecent = isRecent;
  }

  /** PromQL over the exporters that Prometheus marks as hosts: Dom0s and driver domains. */
  get ofHosts(): Promql {
    return new Promql(this.#options, [this.#options.hostSelector], this.#isRecent);
  }

  /** PromQL whose rates look back over the recent window. */
  get recently(): Promql {
    return new Promql(this.#options, this.#matchers, true);
  }

  /** Target labels that alerts keep. */
  get keptLabels(): readonly string[] {
    return this.#options.keptLabels;
  }

  /** The threshold of the main level of the alert with this name. Throws if there is no such alert. */
  threshold(alert: string): number {
    return this.#options.thresholdOf(alert);
  }

  /** Rate window: long enough for a mean despite failed scrapes, short enough for a page. */
  get rateWindow(): string {
    return this.#isRecent ? this.recentWindow : this.#windowOf(300, 8);
  }

  /** A window of at least this length that holds four scrapes. Prometheus 3 excludes the sample at its left end. */
  window(leastSeconds: number): string {
    return this.#windowOf(leastSeconds, 4);
  }

  /** Window in which a notification looks for present harm. */
  get recentWindow(): string {
    return this.window(60);
  }

  /** A window of at least this length that holds two scrapes. */
  shortWindow(leastSeconds: number): string {
    return this.#windowOf(leastSeconds, 2);
  }

  #windowOf(leastSeconds: number, scrapes: number): string {
    return seconds(Math.max(leastSeconds, scrapes * this.#options.scrapeIntervalSeconds));
  }

  /**
   * Growth of a counter per second over the short window, or over the rate window if the short one lacks two scrapes.
   */
  recentRate(leastSeconds: number, name: string, ...matchers: readonly string[]): string {
    const windows = new Set([this.shortWindow(leastSeconds), this.window(leastSeconds)]);
    const rates = [...windows].map((each) => `rate(${this.metric(name, ...matchers)}[${each}])`);
    return rates.length === 1 ? rates[0]! : `(${rates.join(' or ')})`;
  }

  /** A selector of a metric, with matchers such as `mode="steal"`. */
  metric(name: string, ...matchers: readonly string[]): string {
    return `${name}{${[`job=~${JSON.stringify(this.#options.job)}`, ...this.#matchers, ...matchers].join(',')}}`;
  }

  /** The last value of a metric. It survives failed scrapes for as long as a rate does. */
  recent(name: string, ...matchers: readonly string[]): string {
    return `last_over_time(${this.metric(name, ...matchers)}[${this.rateWindow}])`;
  }

  /**
   * The value of a metric, or its last value while the exporter does not answer. A starved exporter misses scrapes;
   * without this, every alert's `for` would restart.
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

/** Values of each guest's own exporter, with the guest's uuid. `expr` has the labels job and instance. */
export const withGuest = (expr: string): string => promql`
  ${expr}
    * on (instance) group_left (uuid) instance:xen_guest_uuid:info`;

/**
 * Values of each guest from its host's exporters, with the guest's uuid. `expr` has the labels job, instance and
 * domain.
 */
export const withDomain = (expr: string): string => promql`
  ${expr}
    * on (instance, domain) group_left (uuid) instance_domain:xen_domain_uuid:info`;

/** Aggregates to one value for each combination of these labels. */
export const by = (aggregation: 'sum' | 'max' | 'min' | 'count', labels: string, expr: string): string => promql`
  ${aggregation} by (${labels}) (
    ${expr}
  )`;

/**
 * Selects Prometheus's own alert series about guests and hosts, which lack the label job. Every scraped series has one,
 * so no page can forge them.
 */
export const alertSeries = (...matchers: readonly string[]): string => `ALERTS{${['job=""', ...matchers].join(',')}}`;

const record = /\b((?:uuid|instance)\w*:[\w:]+)(\{)?/g;

/**
 * PromQL that reads only records where it names records. A page may contain series of the same names, but they have a
 * job label and records do not.
 */
export const ofRecords = (expr: string): string =>
  expr.replaceAll(record, (_, name: string, brace?: string) => `${name}{job=""${brace === undefined ? '}' : ','}`);
