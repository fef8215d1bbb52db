import { guest, guestCommand, guestOnHost, inNamespace, percent, type Alert } from './alert.ts';
import { ofHost } from '../recording/identity.ts';
import { inWords, promql, type Promql } from '../promql.ts';
import { each, query, value } from '../template.ts';

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

const listener = ['instance=%q', 'netns=%q'];
const listenerLabels = ['address', 'port', 'family'];
// A guest controls its page.
const knownPort = 'port=~"[0-9]{1,5}"';
const knownService = String.raw`service=~"[A-Za-z0-9_.:@\\\\-]{1,128}"`;

/**
 * Recent harm, from the counters of the guest's exporter. The alert's rate looks further back, so it is still low when
 * trouble begins. If the last scrapes failed, only that rate remains.
 */
const recentOverflow = (p: Promql): string => {
  const window = p.recentWindow;
  const namespace = ['$instance', '$labels.netns'];
  const fullest = query(
    `topk(1, clamp_max(100 * rate(${p.metric('xen_listener_accept_queue_full_seconds_total', ...listener, knownPort)}[${window}]), 100) > 0)`,
    ...namespace,
  );
  const service = each(
    query(
      p.metric('xen_listener_info', ...listener, ...listenerLabels.map((label) => `${label}=%q`), knownService),
      ...namespace,
      ...listenerLabels.map((label) => `.Labels.${label}`),
    ),
    ' ({{ .Labels.service }})',
  );
  const increase = (name: string): string =>
    each(query(`sum(increase(${p.metric(name, ...listener)}[${window}]))`, ...namespace), value('%.0f'), 'unknown');
  const found = `The accept queue of port {{ .Labels.port }}${service} of ${guest}${inNamespace} was full for ${value('%.0f %%')} of the last ${inWords(window)}. Connection attempts dropped: ${increase('xen_tcp_listen_overflows_total')}, accepted: ${increase('xen_tcp_passive_opens_total')}.`;
  const unknown = `An accept queue of ${guest}${inNamespace} was full for ${percent} of the last ${inWords(p.rateWindow)}, and connection attempts were dropped.`;
  return each(
    query('instance:xen_guest_uuid:info{uuid=%q}', '$labels.uuid'),
    `{{ $instance := .Labels.instance }}${each(fullest, found, unknown)}`,
    unknown,
  );
};

/** Harm that clients feel. */
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
          why: 'The queue is full for 3 s of 5 min, with overflows. A full queue without overflows is harmless, and millisecond bursts do not page.',
        },
      },
    ],
    measure: overflow,
    needs: ['xen_listener_accept_queue_full_seconds_total', 'xen_tcp_listen_overflows_total'],
    for: '30s',
    keepFiringFor: '5m',
    summary: `${guestOnHost} refuses connections`,
    description: recentOverflow,
    reading: { unit: 'percent', text: (value) => `the accept queue was full for ${value} of the time` },
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
          why: 'One sample in five is above three quarters, so the next burst will be refused. Backlogs of 8 and less are excluded, because one or two connections fill a quarter.',
        },
      },
    ],
    measure: () => promql`
      uuid_netns:xen_accept_queue_above_three_quarters:ratio_rate5m
        unless on (uuid, netns) uuid_netns:xen_listen_overflows:rate5m > 0`,
    needs: ['xen_listener_accept_queue_fill_ratio'],
    for: '10m',
    summary: `${guestOnHost} will soon refuse connections`,
    description: (p) =>
      `An accept queue of ${guest}${inNamespace} was over three quarters full in ${percent} of all samples of the last ${inWords(p.rateWindow)}.`,
    reading: {
      unit: 'percent',
      text: (value) => `the accept queue was over three quarters full for ${value} of the time`,
    },
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
    // Refused connections also reduce the accept rate: one trouble, one alert.
    measure: collapse,
    needs: ['xen_tcp_passive_opens_total'],
    for: '30s',
    keepFiringFor: '5m',
    summary: `${guestOnHost} loses connections`,
    description: (p) =>
      `In the last ${inWords(p.window(120))} ${guest} accepted ${percent} fewer connections than an hour ago, while connections or packets are lost. Demand has not fallen; fewer connections get through.`,
    reading: { unit: 'percent', text: (value) => `${value} fewer connections are accepted than an hour ago` },
    command: guestCommand('ss -ltn'),
  },
];
