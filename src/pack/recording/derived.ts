import { promql } from '../promql.ts';
import type { RecordingRule } from './recording-rule.ts';

// Records made only from other records.

/** Each guest's queues: sums over its network namespaces, and values over longer windows. */
export const queueRules: readonly RecordingRule[] = [
  { record: 'uuid:xen_accepts:rate5m', expr: 'sum by (uuid) (uuid_netns:xen_accepts:rate5m)' },
  { record: 'uuid:xen_listen_overflows:rate5m', expr: 'sum by (uuid) (uuid_netns:xen_listen_overflows:rate5m)' },
  {
    // The least mean of ten minutes, so that a burst an hour ago does not look like a drop now.
    record: 'uuid:xen_accepts_an_hour_ago:min10m',
    expr: 'min_over_time(uuid:xen_accepts:rate5m[10m] offset 1h)',
  },
  {
    // True while connections overflow or SYN-ACKs are retransmitted.
    record: 'uuid:xen_clients_losing:bool',
    expr: promql`
      (
        uuid:xen_listen_overflows:rate5m > 0
          or on (uuid)
        uuid:xen_syn_retransmits:rate5m > 0.1
      ) > bool 0`,
  },
];

/** CPU time of each guest. */
export const cpuRules: readonly RecordingRule[] = [
  {
    // Relative to wanted time: relative to the wall clock, a mostly idle guest that waits for each packet shows little.
    record: 'uuid:xen_steal:ratio_rate5m',
    expr: promql`
      uuid:xen_steal:rate5m
        / (uuid:xen_steal:rate5m + uuid:xen_task_cpu:rate5m + uuid:xen_interrupt_cpu:rate5m > 0)`,
  },
  {
    record: 'uuid:xen_domain_cap_used:ratio_rate5m',
    expr: 'uuid:xen_domain_cpu:rate5m / uuid:xen_domain_cap:cpus',
  },
];
