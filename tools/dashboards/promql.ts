// PromQL of dashboards: like src/pack, narrowed to a dashboard's variables.

/** Matchers with variables. */
export const chosen = {
  job: 'job=~"$job"',
  /** A guest in recorded rows. */
  uuid: 'uuid=~"$guest"',
  /** The exporter in a guest. */
  guest: 'job=~"$job",instance=~"$guest_instance"',
  /** A guest in its host's exporter. */
  domain: 'job=~"$job",instance=~"$guest_host",domain=~"$guest_domain"',
  /** The exporter of a guest's host. */
  hostOfGuest: 'job=~"$job",instance=~"$guest_host"',
  /** The exporter of a host. */
  host: 'job=~"$job",instance=~"$host"',
  /** Any exporter. */
  exporter: 'job=~"$job",instance=~"$instance"',
} as const;

/** A selector. For records it excludes series of the same name from pages: records have no label job. */
export const select = (name: string, ...matchers: readonly string[]): string =>
  name.includes(':')
    ? `${name}{${['job=""', ...matchers.map((matcher) => matcher.replace(/^job=~"\$job",/, ''))].join(',')}}`
    : `${name}{${matchers.join(',')}}`;

/** Growth of a counter per second. */
export const rate = (name: string, ...matchers: readonly string[]): string =>
  `rate(${select(name, ...matchers)}[$__rate_interval])`;

const identity = 'uuid:xen_guest_identity:info';

/** Adds the names of guest and host to rows with the label uuid. */
export const named = (expr: string): string =>
  `${expr} * on (uuid) group_left (domain, host) ${select(identity, chosen.uuid)}`;

/** A record of the pack for the chosen guests, by name. */
export const recorded = (name: string, ...matchers: readonly string[]): string =>
  named(select(name, chosen.uuid, ...matchers));

/** The worst network namespace of each chosen guest, from a record with rows per namespace. */
export const worst = (name: string): string => `max by (uuid) (${select(name, chosen.uuid)})`;

/** Drops at accept queues per accept, in each chosen guest's worst network namespace. */
export const dropsPerAccept = `max by (uuid) (${select('uuid_netns:xen_listen_overflows:rate5m', chosen.uuid)} / (${select('uuid_netns:xen_accepts:rate5m', chosen.uuid)} > 0))`;

const byUuid = (labels: readonly string[]): string => ['uuid', ...labels].join(', ');

/** Values of a guest's own exporter, summed by guest and these labels. `expr` has the labels job and instance. */
export const ofGuest = (expr: string, ...labels: readonly string[]): string =>
  named(
    `sum by (${byUuid(labels)}) (${expr} * on (instance) group_left (uuid) ${select('instance:xen_guest_uuid:info', chosen.uuid)})`,
  );

/** One value per guest and these labels, from its host's exporter. `expr` has the labels instance and domain. */
const aggregatedOfDomain = (aggregation: 'sum' | 'max', expr: string, labels: readonly string[]): string =>
  named(
    `${aggregation} by (${byUuid(labels)}) (${expr} * on (instance, domain) group_left (uuid) ${select('instance_domain:xen_domain_uuid:info', chosen.uuid)})`,
  );

/** A host's values about a guest, summed by guest and these labels. `expr` has the labels instance and domain. */
export const ofDomain = (expr: string, ...labels: readonly string[]): string => aggregatedOfDomain('sum', expr, labels);

/** A host's greatest value about a guest. `expr` has the labels instance and domain. */
export const worstOfDomain = (expr: string): string => aggregatedOfDomain('max', expr, []);

/** The guests of the chosen hosts. */
export const guestsOfHost = select(identity, 'host=~"$host"', chosen.uuid);

/** Keeps guests of the chosen hosts, by name. */
export const onHost = (expr: string): string => `${expr} * on (uuid) group_left (domain, host) ${guestsOfHost}`;

/** Adds the domain's uuid, if it has one. `expr` has these labels, including instance and domain. */
export const withUuid = (expr: string, ...labels: readonly string[]): string =>
  `(${expr} * on (instance, domain) group_left (uuid) max by (instance, domain, uuid) (${select('instance_domain:xen_domain_uuid:info', chosen.host)}) or on (${labels.join(', ')}) ${expr})`;

/** The highest values. */
export const most = (expr: string): string => `topk($most, ${expr})`;

/** Adds a label to all series of a query. */
export const labelled = (expr: string, label: string, value: string): string =>
  `label_replace(${expr}, "${label}", "${value}", "", "")`;
