/** How far back rates look: long enough for four scrapes a minute to give a mean, short enough for a page. */
const window = '5m';

const seconds = (count: number): string => (count % 60 === 0 ? `${count / 60}m` : `${count}s`);

/** PromQL over the metrics of the exporters: every selector takes the jobs that scrape them. */
export class Promql {
  readonly #job: string;
  readonly #scrapeIntervalSeconds: number;

  /** `job` is a regular expression that the label job matches as a whole. */
  constructor({ job, scrapeIntervalSeconds }: { job: string; scrapeIntervalSeconds: number }) {
    this.#job = job;
    this.#scrapeIntervalSeconds = scrapeIntervalSeconds;
  }

  /** A window of this length, or a longer one that still holds four scrapes. A window of Prometheus 3 leaves out the sample at its left end. */
  window(leastSeconds: number): string {
    return seconds(Math.max(leastSeconds, 4 * this.#scrapeIntervalSeconds));
  }

  /** A selector of a metric, with matchers such as `mode="steal"`. */
  metric(name: string, ...matchers: readonly string[]): string {
    return `${name}{${[`job=~${JSON.stringify(this.#job)}`, ...matchers].join(',')}}`;
  }

  /** The last value of a metric, also where scrapes have failed since: for as long as a rate can be had. */
  recent(name: string, ...matchers: readonly string[]): string {
    return `last_over_time(${this.metric(name, ...matchers)}[${window}])`;
  }

  /**
   * The value of a metric; while its exporter does not answer, its last. Who starves loses scrapes, and without a value the waits of alerts would
   * begin anew. `ago` is a modifier such as `offset 1m`.
   */
  lastKnown(name: string, { matchers = [], ago = '' }: { matchers?: readonly string[]; ago?: string } = {}): string {
    const at = (selector: string): string => [selector, ago].filter(Boolean).join(' ');
    const metric = this.metric(name, ...matchers);
    const isDown = `${at(this.metric('up'))} == 0`;
    return `(${at(metric)} or last_over_time(${at(`${metric}[${window}]`)}) and on (job, instance) ${isDown})`;
  }

  /** Growth of a counter per second, over the window. */
  rate(name: string, ...matchers: readonly string[]): string {
    return `rate(${this.metric(name, ...matchers)}[${window}])`;
  }
}

/** A value of each exporter's instance in a guest, by the uuid of the guest. `expr` has the labels job and instance. */
export const ofGuest = (expr: string): string =>
  `max by (uuid) ((${expr}) * on (job, instance) group_left (uuid) instance:xen_guest_uuid:info)`;

/** A value of each network namespace of a guest, by uuid and name. `expr` has the labels job, instance and netns, which is absent for the guest's own. */
export const ofNamespace = (expr: string): string =>
  `max by (uuid, netns) ((${expr}) * on (job, instance) group_left (uuid) instance:xen_guest_uuid:info)`;

/** A value of each domain as its Dom0 sees it, by the uuid of the domain. `expr` has the labels job, instance and domain. */
export const ofDomain = (expr: string): string =>
  `max by (uuid) ((${expr}) * on (job, instance, domain) group_left (uuid) instance_domain:xen_domain_uuid:info)`;

/** A value of each host, by the uuid of every guest that it has. `expr` has the labels job and instance. */
export const ofHost = (expr: string): string =>
  `max by (uuid) (uuid:xen_guest_identity:info * on (host) group_left () max by (host) (label_replace(${expr}, "host", "$1", "instance", "(.*)")))`;
