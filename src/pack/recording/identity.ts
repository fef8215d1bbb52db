import { promql, type Promql } from '../promql.ts';
import type { RecordingRule } from './recording-rule.ts';

const daySeconds = 86_400;
/** Uuids of guests: every Dom0 has the zero one. They stand in links of notifications, and a guest controls its page. */
const uuidsOfGuests = ['uuid=~"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', 'uuid!~"00000000-0000-.*"'];

/**
 * A record of when something was there last, in seconds since 1970, for a day. `expr` has the labels and a value wherever it is there now.
 */
export const lastSeen = (record: string, labels: string, expr: string): RecordingRule => ({
  record,
  expr: promql`
    0 * ${expr} + time()
      or on (${labels})
    ${record} > time() - ${daySeconds}`,
});

/** The labels that identify what an alert is about, the kept target labels among them. */
export const identityLabels = (p: Promql): string => ['domain', 'host', ...p.keptLabels].join(', ');

/** Adds the label host, the address of the host's exporter, to values of hosts. `expr` has the label instance. */
export const withHost = (expr: string): string =>
  `max by (host) (label_replace(${expr}, "host", "$1", "instance", "(.*)"))`;

/** A value of each host, by the uuid of every guest that it has. `expr` has the label instance. */
export const ofHost = (expr: string): string => promql`
  max by (uuid) (
    uuid:xen_guest_identity:info
      * on (host) group_left () ${withHost(expr)}
  )`;

/** Only values of targets that Prometheus marks as hosts. `expr` has the label instance. */
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
 * Guests by name and host, as their hosts know them. A kept label is that of the exporter in the guest if it has one, or that of the host's exporter.
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

/** Who is who: which targets are hosts, which exporter speaks for which guest, and which host runs it. */
export const identityRules = (p: Promql): RecordingRule[] => {
  const labels = `uuid, ${identityLabels(p)}`;
  const hosts = p.ofHosts;
  /** Hosts whose exporter did not answer, or could not ask xl, within five minutes. */
  const unread = [hosts.metric('up'), hosts.metric('xen_exporter_collector_success', 'collector="domains"')]
    .map((metric) => `min_over_time(${metric}[5m]) == 0`)
    .join(' or ');
  return [
    {
      // A page can add a label that its target lacks, also to a series that it calls up. It cannot remove the series up of Prometheus.
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
      // The exporters that claim the uuid of a guest. One that does not answer keeps its claim, so that no other can take its place.
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
      // Of guests that several exporters claim to be: hardly any.
      record: 'uuid:xen_guest_conflict:count',
      expr: 'count by (uuid) (instance:xen_guest_claim:info) > 1',
    },
    {
      // The exporter that speaks for a guest: none while several claim to.
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
      // A guest that migrates is on two hosts for a moment. It keeps its name while the exporter of its host is down or cannot ask xl, also over
      // five minutes without its own. One whose host has none is known by its own address.
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
      // Of the exporter in each guest and in each Dom0. One that is down is who it was, one that never said is nobody.
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
