// PromQL of dashboards: what src/pack has for rules, narrowed to what the variables of a dashboard choose.

/** Variables that a query may use. */
export const chosen = {
  job: 'job=~"$job"',
  /** A guest, in what the rules record of it. */
  uuid: 'uuid=~"$guest"',
  /** The exporter in a guest. */
  guest: 'job=~"$job",instance=~"$guest_instance"',
  /** A guest, as the exporter of its host has it. */
  domain: 'job=~"$job",instance=~"$guest_host",domain=~"$guest_domain"',
  /** The exporter of a guest's host. */
  hostOfGuest: 'job=~"$job",instance=~"$guest_host"',
  /** The exporter of a host. */
  host: 'job=~"$job",instance=~"$host"',
  /** Any exporter. */
  exporter: 'job=~"$job",instance=~"$instance"',
} as const;

/** A selector. One of a record takes no series of a page that has its name: records have no label job. */
export const select = (name: string, ...matchers: readonly string[]): string =>
  name.includes(':')
    ? `${name}{${['job=""', ...matchers.map((matcher) => matcher.replace(/^job=~"\$job",/, ''))].join(',')}}`
    : `${name}{${matchers.join(',')}}`;

/** Growth of a counter per second. */
export const rate = (name: string, ...matchers: readonly string[]): string =>
  `rate(${select(name, ...matchers)}[$__rate_interval])`;

const identity = 'uuid:xen_guest_identity:info';

/** Names the guest and its host in what has the label uuid. */
export const named = (expr: string): string =>
  `${expr} * on (uuid) group_left (domain, host) ${select(identity, chosen.uuid)}`;

/** A record of the pack, of the chosen guests by name. */
export const recorded = (name: string, ...matchers: readonly string[]): string =>
  named(select(name, chosen.uuid, ...matchers));

/** A record of the pack that has a row for each network namespace: the worst of each chosen guest. */
export const worst = (name: string): string => `max by (uuid) (${select(name, chosen.uuid)})`;

/** Drops at accept queues over accepts, of each chosen guest's worst network namespace. */
export const dropsPerAccept = `max by (uuid) (${select('uuid_netns:xen_listen_overflows:rate5m', chosen.uuid)} / (${select('uuid_netns:xen_accepts:rate5m', chosen.uuid)} > 0))`;

const byUuid = (labels: readonly string[]): string => ['uuid', ...labels].join(', ');

/** What a guest's own exporter says, summed by guest and these labels. `expr` has the labels job and instance. */
export const ofGuest = (expr: string, ...labels: readonly string[]): string =>
  named(
    `sum by (${byUuid(labels)}) (${expr} * on (instance) group_left (uuid) ${select('instance:xen_guest_uuid:info', chosen.uuid)})`,
  );

/** One value of each guest and these labels, of what a host's exporter has of it. `expr` has the labels instance and domain. */
const aggregatedOfDomain = (aggregation: 'sum' | 'max', expr: string, labels: readonly string[]): string =>
  named(
    `${aggregation} by (${byUuid(labels)}) (${expr} * on (instance, domain) group_left (uuid) ${select('instance_domain:xen_domain_uuid:info', chosen.uuid)})`,
  );

/** What a host's exporter has of a guest, summed by guest and these labels. `expr` has the labels instance and domain. */
export const ofDomain = (expr: string, ...labels: readonly string[]): string => aggregatedOfDomain('sum', expr, labels);

/** The greatest value that a host's exporter has of a guest. `expr` has the labels instance and domain. */
export const worstOfDomain = (expr: string): string => aggregatedOfDomain('max', expr, []);

/** The guests of the chosen hosts. */
export const guestsOfHost = select(identity, 'host=~"$host"', chosen.uuid);

/** Only guests of the chosen hosts, by name. */
export const onHost = (expr: string): string => `${expr} * on (uuid) group_left (domain, host) ${guestsOfHost}`;

/** Adds the uuid of the domain, where it has one, to what has these labels, instance and domain among them. */
export const withUuid = (expr: string, ...labels: readonly string[]): string =>
  `(${expr} * on (instance, domain) group_left (uuid) max by (instance, domain, uuid) (${select('instance_domain:xen_domain_uuid:info', chosen.host)}) or on (${labels.join(', ')}) ${expr})`;

/** The most of these. */
export const most = (expr: string): string => `topk($most, ${expr})`;

/** Gives all series of a query one more label. */
export const labelled = (expr: string, label: string, value: string): string =>
  `label_replace(${expr}, "${label}", "${value}", "", "")`;
