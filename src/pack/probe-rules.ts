import { ofDomain, ofGuest, type Promql } from './promql.ts';
import type { RecordingRule } from './recording-rule.ts';
import { cpuTime, perDomain, perGuest } from './recording-rules.ts';

/** A second of the time in which the probes of a set were armed, where they were. `rate`: of something by job, instance and these labels. */
const perArmedSecond = (p: Promql, set: 'grants' | 'events', rate: string): string =>
  `${rate} / on (job, instance) group_left () (max ${perGuest} (${p.rate('xen_exporter_probe_armed_seconds_total', `probes="${set}"`)}) > 0)`;

/** What the probes in a guest say of its accept queues. */
export const acceptWaitRules = (p: Promql): RecordingRule[] => [
  ...(['0.5', '0.99'] as const).map((quantile) => ({
    record: `uuid:xen_accept_wait_seconds:p${quantile.slice(2).padEnd(2, '0')}_rate5m`,
    expr: ofGuest(
      `histogram_quantile(${quantile}, sum by (job, instance, le) (${p.rate('xen_accept_wait_seconds_bucket')})) > 0`,
    ),
  })),
  {
    // Of the connections that accept() returned while somebody looked.
    record: 'uuid:xen_accept_wait_seen:ratio_rate5m',
    expr: ofGuest(
      `sum ${perGuest} (${p.rate('xen_accept_wait_seconds_count')}) / (sum ${perGuest} (${p.rate('xen_accept_wait_seconds_count')}) + sum ${perGuest} (${p.rate('xen_accept_wait_unmatched_total')}) > 0)`,
    ),
  },
];

/** What the probes in Dom0 say of each guest and of the host; beside it, what is counted without any. */
export const grantAndEventRules = (p: Promql): RecordingRule[] => {
  const copies = (by: string): string =>
    perArmedSecond(p, 'grants', `sum ${by} (${p.rate('xen_grant_operations_total', 'operation="copy"')})`);
  const slots = (by: string, ...matchers: string[]): string =>
    `(sum ${by} (${p.rate('xen_netback_ring_consumed_slots_total', ...matchers)}) > 0)`;
  return [
    {
      // Those of its threads: what softirqs do has no guest's name.
      record: 'uuid:xen_grant_operations:rate5m',
      expr: ofDomain(perArmedSecond(p, 'grants', `sum ${perDomain} (${p.rate('xen_grant_operations_total')})`)),
    },
    {
      record: 'uuid:xen_grant_copies_per_rx_slot:ratio_rate5m',
      expr: ofDomain(`${copies(perDomain)} / on (job, instance, domain) ${slots(perDomain, 'ring="rx"')}`),
    },
    {
      record: 'instance:xen_grant_operations:rate5m',
      expr: perArmedSecond(p, 'grants', `sum ${perGuest} (${p.rate('xen_grant_operations_total')})`),
    },
    {
      record: 'instance:xen_grant_copies_per_slot:ratio_rate5m',
      expr: `${copies(perGuest)} / on (job, instance) ${slots(perGuest)}`,
    },
    {
      // CPUs that are in grant calls, on average.
      record: 'instance:xen_grant_calls:ratio_rate5m',
      expr: perArmedSecond(p, 'grants', `sum ${perGuest} (${p.rate('xen_grant_call_duration_seconds_sum')})`),
    },
    {
      record: 'instance:xen_grant_calls_of_cpu:ratio_rate5m',
      expr: `instance:xen_grant_calls:ratio_rate5m / (${cpuTime('mode!~"idle|iowait|steal"')} > 0)`,
    },
    {
      // Toward it.
      record: 'uuid:xen_event_channel_sends:rate5m',
      expr: ofDomain(
        perArmedSecond(
          p,
          'events',
          `sum ${perDomain} (${p.rate('xen_event_channel_sends_total', 'source="netback"')})`,
        ),
      ),
    },
    {
      record: 'instance:xen_event_channel_sends:rate5m',
      expr: perArmedSecond(p, 'events', `sum ${perGuest} (${p.rate('xen_event_channel_sends_total')})`),
    },
  ];
};
