import { ofNamespace, type Promql } from './promql.ts';
import type { RecordingRule } from './recording-rule.ts';

const perNamespace = 'by (job, instance, netns)';
const onListener = 'on (job, instance, netns, address, port, family)';

/** Rows of the same hop: of each network namespace, and of each guest, put together by `operator`. */
const inNamespaceAndGuest = (hop: string, expr: string, operator: 'max' | 'min' | 'sum'): RecordingRule[] => [
  { record: `uuid_netns:${hop}`, expr },
  { record: `uuid:${hop}`, expr: `${operator} by (uuid) (uuid_netns:${hop})` },
];

/**
 * Of accept queues and SYN queues, which belong to a network namespace: a row for each in which there is a listener, and one for each guest, that
 * of its worst namespace or the sum.
 */
export const namespaceRules = (p: Promql): RecordingRule[] => {
  const summed = (name: string): string => `sum ${perNamespace} (${p.rate(name)})`;
  const dequeued = 'xen_listener_accept_queue_dequeued_total';
  const hasDequeued = `(${p.lastKnown(dequeued)} - ${p.lastKnown(dequeued, { ago: `offset ${p.window(60)}` })})`;
  const isFull = `${p.rate('xen_listener_accept_queue_full_seconds_total')} > 0.01`;
  const limit = p.lastKnown('xen_listener_accept_queue_limit');
  const samples = p.rate('xen_listener_accept_queue_fill_ratio_count');
  const atMostThreeQuarters = p.rate('xen_listener_accept_queue_fill_ratio_bucket', 'le="0.75"');
  return [
    ...inNamespaceAndGuest('xen_accepts:rate5m', ofNamespace(summed('xen_tcp_passive_opens_total')), 'sum'),
    ...inNamespaceAndGuest('xen_listen_overflows:rate5m', ofNamespace(summed('xen_tcp_listen_overflows_total')), 'sum'),
    ...inNamespaceAndGuest(
      'xen_listen_overflows_per_accept:ratio_rate5m',
      'uuid_netns:xen_listen_overflows:rate5m / (uuid_netns:xen_accepts:rate5m > 0)',
      'max',
    ),
    ...inNamespaceAndGuest(
      'xen_accept_queue_full:ratio_rate5m',
      ofNamespace(`max ${perNamespace} (${p.rate('xen_listener_accept_queue_full_seconds_total')})`),
      'max',
    ),
    ...inNamespaceAndGuest(
      'xen_accept_queue_above_three_quarters:ratio_rate5m',
      ofNamespace(
        // A backlog of 8 or less is three quarters full with a few connections.
        `1 - min ${perNamespace} (${atMostThreeQuarters} / ignoring (le) (${samples} > 0) and ${onListener} ${limit} > 8)`,
      ),
      'max',
    ),
    // The smallest of those that are full now and then, though their servers do accept.
    ...inNamespaceAndGuest(
      'xen_full_accept_queue_limit:min',
      ofNamespace(
        `min ${perNamespace} (${limit} and ${onListener} ${isFull} unless ${onListener} ${hasDequeued} == 0)`,
      ),
      'min',
    ),
    // Of servers that have accepted nothing for a minute. A window of five would blame the backlog for what was accepted before.
    ...inNamespaceAndGuest(
      'xen_stalled_accept_queue_fill:min',
      ofNamespace(
        `max ${perNamespace} (min_over_time(${p.metric('xen_listener_accept_queue_max_fill_ratio')}[${p.window(60)}]) and ${onListener} ${hasDequeued} == 0)`,
      ),
      'max',
    ),
    ...inNamespaceAndGuest(
      'xen_accept_wait_seconds:mean5m',
      `${ofNamespace(summed('xen_listener_accept_queue_connection_seconds_total'))} / (uuid_netns:xen_accepts:rate5m > 0)`,
      'max',
    ),
    ...inNamespaceAndGuest(
      'xen_syn_queue_overflows:rate5m',
      ofNamespace(
        `${summed('xen_tcp_syn_queue_full_drops_total')} + ${summed('xen_tcp_syn_queue_full_cookies_total')}`,
      ),
      'sum',
    ),
  ];
};
