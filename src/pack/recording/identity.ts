import { promql, type Promql } from '../promql.ts';
import type { RecordingRule } from './recording-rule.ts';

const daySeconds = 86_400;
/**
 * Guest uuids, without the zero uuid that every Dom0 has. They appear in notification links, and a guest controls its
 * page.
 */
const uuidsOfGuests = ['uuid=~"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', 'uuid!~"00000000-0000-.*"'];

/**
 * Records when something was last there, in seconds since 1970, for a day. `expr` has the labels and a value wherever
 * it is there now.
 */
export const lastSeen = (record: string, labels: string, expr: string): RecordingRule => ({
  record,
  expr: promql`
    0 * ${expr} + time()
      or on (${labels})
    ${record} > time() - ${daySeconds}`,
});

/** Labels that identify an alert's subject, including the kept target labels. */
export const identityLabels = (p: Promql): string => ['domain', 'host', ...p.keptLabels].join(', ');

/** Adds the label host (address of the host's exporter) to values of hosts. `expr` has the label instance. */
export const withHost = (expr: string): string =>
  `max by (host) (label_replace(${expr}, "host", "$1", "instance", "(.*)"))`;

/** A value of each host, for the uuid of every guest on it. `expr` has the label instance. */
export const ofHost = (expr: string): string => promql`
  max by (uuid) (
    uuid:xen_guest_identity:info
      * on (host) group_left () ${withHost(expr)}
  )`;

/** Keeps only targets that Prometheus marks as hosts. `expr` has the label instance. */
export const onHosts = (expr: string): string => promql`
  ${expr}
    and on (instance) instance:xen_host:info`;

/** Adds the kept target labels to values of exporters. `expr` has the label instance. */
export const withTargetLabels = (p: Promql, expr: string): string =>
  p.keptLabels.length === 0
    ? expr
    : promql`
        (${expr})
          * on (instance) group_left (${p.keptLabels.join(', ')}) instance:xen_target_labels:info`;

/**
 * Guests by name and host, according to their hosts. A kept label comes from the guest's exporter if it has it,
 * otherwise from the host's exporter.
 */
const guestsOfHosts = (p: Promql): string => {
  const labels = `uuid, ${identityLabels(p)}`;
  const named = 'label_replace(instance_domain:xen_domain_uuid:info, "host", "$1", "instance", "(.*)")';
  const ofHosts = promql`
    topk by (uuid) (1,
      max by (${labels}) (${withTargetLabels(p, named)})
    )`;
  if (p.keptLabels.length === 0) return ofHosts;
  const own = (label: string): string => `__own_${label}`;
  const renamed = p.keptLabels.reduce(
    (expr, label) => `label_replace(${expr}, "${own(label)}", "$1", "${label}", "(.*)")`,
    withTargetLabels(p, 'instance:xen_guest_uuid:info'),
  );
  const joined = promql`
    (
      ${ofHosts}
        * on (uuid) group_left (${p.keptLabels.map(own).join(', ')}) max by (uuid, ${p.keptLabels.map(own).join(', ')}) (${renamed})
        or on (uuid)
      ${ofHosts}
    )`;
  const merged = p.keptLabels.reduce(
    (expr, label) => `label_replace(${expr}, "${label}", "$1", "${own(label)}", "(.+)")`,
    joined,
  );
  return `max by (${labels}) (${merged})`;
};

/** Identity: which targets are hosts, which exporter represents which guest, and which host runs it. */
export const identityRules = (p: Promql): RecordingRule[] => {
  const labels = `uuid, ${identityLabels(p)}`;
  const hosts = p.ofHosts;
  /** Hosts whose exporter did not answer, or could not query xl, within five minutes. */
  const unread = [hosts.metric('up'), hosts.metric('xen_exporter_collector_success', 'collector="domains"')]
    .map((metric) => `min_over_time(${metric}[5m]) == 0`)
    .join(' or ');
  return [
    {
      // A page can add labels that its target lacks, even to series about itself. It cannot remove Prometheus's series
      // up.
      record: 'instance:xen_host:info',
      expr: promql`
        count by (instance) (${hosts.metric('up')})
          == on (instance) count by (instance) (${p.metric('up')})`,
    },
    ...(p.keptLabels.length === 0
      ? []
      : [
          {
            record: 'instance:xen_target_labels:info',
            expr: promql`
              topk by (instance) (1,
                0 * max by (instance, ${p.keptLabels.join(', ')}) (${p.metric('up')}) + 1
              )`,
          },
        ]),
    {
      // Exporters that claim a guest's uuid. An exporter that does not answer keeps its claim, so no other can take
      // over.
      record: 'instance:xen_guest_claim:info',
      expr: promql`
        topk by (instance) (1,
          group by (instance, uuid) (${p.metric('xen_guest_info', 'role="guest"', ...uuidsOfGuests)})
        )
          or on (instance)
        instance:xen_guest_claim:info
          and on (instance) ${p.metric('up')} == 0`,
    },
    {
      // Guests that several exporters claim to be: normally none.
      record: 'uuid:xen_guest_conflict:count',
      expr: 'count by (uuid) (instance:xen_guest_claim:info) > 1',
    },
    {
      // The exporter that represents a guest. Absent while several claim to.
      record: 'instance:xen_guest_uuid:info',
      expr: promql`
        instance:xen_guest_claim:info
          unless on (uuid) uuid:xen_guest_conflict:count`,
    },
    {
      record: 'instance_domain:xen_domain_uuid:info',
      expr: promql`
        topk by (instance, domain) (1,
          group by (instance, domain, uuid) (
            ${onHosts(hosts.lastKnown('xen_domain_info', ...uuidsOfGuests))}
          )
        )`,
    },
    {
      // A migrating guest is briefly on two hosts. It keeps its name while its host's exporter is down or cannot query
      // xl, and for over five minutes without its own exporter. Without a host's exporter, a guest is named by its own
      // address.
      record: 'uuid:xen_guest_identity:info',
      expr: promql`
        ${guestsOfHosts(p)}
          or on (uuid)
        topk by (uuid) (1, last_over_time(uuid:xen_guest_identity:info{host!="unknown"}[5m]))
          and on (uuid) instance:xen_guest_uuid:info
          and on (host) ${withHost(unread)}
          or on (uuid)
        topk by (uuid) (1,
          max by (${labels}) (
            label_replace(
              label_replace(${withTargetLabels(p, 'instance:xen_guest_uuid:info')}, "domain", "$1", "instance", "(.*)"),
              "host", "unknown", "", ""
            )
          )
        )`,
    },
    {
      // Identity of the exporter in each guest and Dom0. An exporter that is down keeps it; one that never reported has
      // none.
      record: 'instance:xen_exporter_identity:info',
      expr: promql`
        instance:xen_guest_claim:info
          * on (uuid) group_left (${identityLabels(p)}) uuid:xen_guest_identity:info
          or on (instance)
        label_replace(
          label_replace(
            ${withTargetLabels(p, onHosts(`max by (instance) (${hosts.metric('xen_guest_info', 'role="dom0"')})`))},
            "host", "$1", "instance", "(.*)"
          ),
          "domain", "Domain-0", "", ""
        )
          or on (instance)
        instance:xen_exporter_identity:info
          and on (instance) ${p.metric('up')}
          or on (instance)
        ${withTargetLabels(p, `(0 * max by (instance) (${p.metric('up')}) + 1)`)}`,
    },
    lastSeen(
      'uuid:xen_guest_exporter:last_seen_timestamp_seconds',
      'uuid',
      promql`
        max by (uuid) (
          instance:xen_guest_uuid:info
            and on (instance) ${p.metric('up')} == 1
        )`,
    ),
  ];
};
