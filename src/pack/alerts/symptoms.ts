import { guest, guestCommand, inNamespace, percent, type Alert } from './alert.ts';
import { ofHost } from '../recording/identity.ts';
import { promql, type Promql } from '../promql.ts';

const overflow = (): string => promql`
  uuid_netns:xen_accept_queue_full:ratio_rate5m
    and on (uuid, netns) uuid_netns:xen_listen_overflows:rate5m > 0`;

const collapse = (p: Promql): string => promql`
  (1 - uuid:xen_recent_accepts:rate / (uuid:xen_accepts_an_hour_ago:min10m > 1))
    and on (uuid) (
      uuid:xen_listen_overflows:rate5m > 0.1 * uuid:xen_accepts_an_hour_ago:min10m
        or on (uuid)
      uuid:xen_syn_retransmits:rate5m > 0.1 * uuid:xen_accepts_an_hour_ago:min10m
        or on (uuid)
      uuid:xen_vif_lost_packets:ratio_rate5m > ${p.threshold('XenVifDropping')}
        or on (uuid)
      ${ofHost(`instance:xen_uplink_lost_packets:ratio_rate5m > ${p.threshold('XenUplinkDropping')}`)}
    )
    unless on (uuid) (
      ${overflow()}
    ) > ${p.threshold('XenAcceptQueueOverflow')}`;

/** What clients feel. */
export const symptoms: readonly Alert[] = [
  {
    name: 'XenAcceptQueueOverflow',
    kind: 'symptom',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'critical',
        threshold: {
          value: 0.01,
          why: 'A queue that is full for 3 s of 5 min, with overflows: full alone harms nobody, and a burst of milliseconds is no page.',
        },
      },
    ],
    measure: overflow,
    needs: ['xen_listener_accept_queue_full_seconds_total', 'xen_tcp_listen_overflows_total'],
    for: '30s',
    keepFiringFor: '5m',
    summary: `${guest}${inNamespace} refuses connections: an accept queue overflows`,
    description: `An accept queue of ${guest}${inNamespace} was full for ${percent} of the last 5 minutes, and attempts to connect were dropped{{ range query (printf "uuid_netns:xen_listen_overflows:rate5m{job=\\"\\",uuid=%q,netns=%q} / (uuid_netns:xen_accepts:rate5m{job=\\"\\",uuid=%q,netns=%q} > 0)" $labels.uuid $labels.netns $labels.uuid $labels.netns) }}: {{ .Value | humanizePercentage }} of the number that was accepted{{ end }}.`,
    command: guestCommand('ss -ltn'),
  },
  {
    name: 'XenAcceptQueueNearlyFull',
    kind: 'symptom',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.2,
          why: 'One sample in five above three quarters: the next burst will be refused. Backlogs of 8 and less are left out: there one or two connections are as much.',
        },
      },
    ],
    measure: () => promql`
      uuid_netns:xen_accept_queue_above_three_quarters:ratio_rate5m
        unless on (uuid, netns) uuid_netns:xen_listen_overflows:rate5m > 0`,
    needs: ['xen_listener_accept_queue_fill_ratio'],
    for: '10m',
    summary: '{{ $labels.domain }} will soon refuse connections: an accept queue is nearly full',
    description: `An accept queue of ${guest}${inNamespace} was over three quarters full in ${percent} of all samples of the last 5 minutes.`,
    command: guestCommand('ss -ltn'),
  },
  {
    name: 'XenAcceptThroughputCollapse',
    kind: 'symptom',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'critical',
        threshold: {
          value: 0.5,
          why: 'The public write-up of this problem measured accept() at less than half of the physical machine.',
        },
      },
    ],
    // Connections that are refused are missed among those that are accepted: one trouble, told once.
    measure: collapse,
    needs: ['xen_tcp_passive_opens_total'],
    for: '30s',
    keepFiringFor: '5m',
    summary: '{{ $labels.domain }} accepts far fewer connections than an hour ago, and loses some',
    description: `{{ $labels.domain }} accepts ${percent} fewer connections than an hour ago, while connections or packets are lost: nobody asks for less, less gets through.`,
    command: guestCommand('ss -ltn'),
  },
];
