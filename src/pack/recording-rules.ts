import { namespaceRules } from './namespace-rules.ts';
import { ofDomain, ofGuest, type Promql } from './promql.ts';
import type { RecordingRule } from './recording-rule.ts';

export const perGuest = 'by (job, instance)';
export const perDomain = 'by (job, instance, domain)';
const perVif = 'by (job, instance, domain, vif)';
/** Of uuids only those that are somebody's: every Dom0 has the zero one. */
const realUuid = ['uuid!=""', 'uuid!~"00000000-0000-.*"'];

const cpuTimes = 'instance_mode:xen_cpu_seconds:rate5m';
/** Time in these modes of all CPUs of an exporter's kernel, in CPUs. */
export const cpuTime = (modes: string): string => `sum ${perGuest} (${cpuTimes}{${modes}})`;
const wanted = 'mode!~"idle|iowait"';
/** CPUs that an exporter's kernel has. */
const cpuCount = (p: Promql): string => `count ${perGuest} (${p.recent('xen_cpu_seconds_total', 'mode="idle"')})`;
const daySeconds = 86_400;

/** The uuid that an exporter says of itself, or of something. */
const uuidOf = (p: Promql, labels: string, info: string, ...matchers: readonly string[]): string =>
  `topk by (${labels}) (1, max by (${labels}, uuid) (${p.lastKnown(info, { matchers })}))`;

/** Who is who: joins what a guest says of itself with what its host says of it. */
export const identityRules = (p: Promql): RecordingRule[] => [
  {
    record: 'instance:xen_guest_uuid:info',
    expr: uuidOf(p, 'job, instance', 'xen_guest_info', 'role="guest"', ...realUuid),
  },
  {
    record: 'instance_domain:xen_domain_uuid:info',
    expr: uuidOf(p, 'job, instance, domain', 'xen_domain_info', ...realUuid),
  },
  {
    // A guest that migrates is on two hosts for a moment. It keeps its name while the exporter of its host is down or cannot ask xl, also over
    // five minutes without its own. One whose host has none is known by its own address.
    record: 'uuid:xen_guest_identity:info',
    expr: `topk by (uuid) (1, max by (uuid, domain, host) (label_replace(instance_domain:xen_domain_uuid:info, "host", "$1", "instance", "(.*)")))
  or on (uuid)
(topk by (uuid) (1, last_over_time(uuid:xen_guest_identity:info{host!="unknown"}[5m])) and on (uuid) instance:xen_guest_uuid:info and on (host) label_replace(min_over_time(${p.metric('up')}[5m]) == 0 or min_over_time(${p.metric('xen_exporter_collector_success', 'collector="domains"')}[5m]) == 0, "host", "$1", "instance", "(.*)"))
  or on (uuid)
topk by (uuid) (1, max by (uuid, domain, host) (label_replace(label_replace(instance:xen_guest_uuid:info, "domain", "$1", "instance", "(.*)"), "host", "unknown", "", "")))`,
  },
  {
    // Of the exporter in each guest and in each Dom0; one that is down is who it was, one that never said is nobody.
    record: 'instance:xen_exporter_identity:info',
    expr: `instance:xen_guest_uuid:info * on (uuid) group_left (domain, host) uuid:xen_guest_identity:info
  or
label_replace(label_replace(max by (job, instance) (${p.metric('xen_guest_info', 'role="dom0"')}), "host", "$1", "instance", "(.*)"), "domain", "Domain-0", "", "")
  or on (job, instance)
(instance:xen_exporter_identity:info and on (job, instance) ${p.metric('up')})
  or on (job, instance)
(0 * max by (job, instance) (${p.metric('up')}) + 1)`,
  },
  {
    // For a day.
    record: 'uuid:xen_guest_exporter:last_seen_timestamp_seconds',
    expr: `0 * max by (uuid) (instance:xen_guest_uuid:info and on (job, instance) ${p.metric('up')} == 1) + time()
  or on (uuid)
uuid:xen_guest_exporter:last_seen_timestamp_seconds > time() - ${daySeconds}`,
  },
  {
    // What Xen saw it run.
    record: 'uuid:xen_domain_cpu:rate5m',
    expr: ofDomain(`sum ${perDomain} (${p.rate('xen_domain_cpu_seconds_total')})`),
  },
  {
    record: cpuTimes,
    expr: `sum by (job, instance, mode) (${p.rate('xen_cpu_seconds_total')})`,
  },
];

/** One row for each guest and hop, from what the guest says of itself. */
export const guestRules = (p: Promql): RecordingRule[] => {
  const summed = (name: string, ...matchers: string[]): string => `sum ${perGuest} (${p.rate(name, ...matchers)})`;
  const rxInterrupts = summed('xen_netfront_interrupts_total', 'ring=~"rx|shared"');
  const received = p.rate('xen_softnet_processed_packets_total');
  return [
    ...namespaceRules(p),
    {
      // The five-minute mean falls by half only after two and a half minutes without accepts.
      record: 'uuid:xen_recent_accepts:rate',
      expr: ofGuest(`sum ${perGuest} (rate(${p.metric('xen_tcp_passive_opens_total')}[${p.window(120)}]))`),
    },
    {
      // The least mean of ten minutes: a burst of then is no collapse of now.
      record: 'uuid:xen_accepts_an_hour_ago:min10m',
      expr: 'min_over_time(uuid:xen_accepts:rate5m[10m] offset 1h)',
    },
    { record: 'uuid:xen_syn_retransmits:rate5m', expr: ofGuest(summed('xen_tcp_syn_retransmits_total')) },
    {
      record: 'uuid:xen_vcpus:count',
      expr: ofGuest(cpuCount(p)),
    },
    { record: 'uuid:xen_steal:rate5m', expr: ofGuest(cpuTime('mode="steal"')) },
    { record: 'uuid:xen_task_cpu:rate5m', expr: ofGuest(cpuTime('mode!~"idle|iowait|steal|irq|softirq"')) },
    {
      // A kernel that counts CPU time by ticks misses interrupts that come while it is idle, for then it has no ticks: what Xen saw it run beyond
      // its tasks is their time.
      record: 'uuid:xen_interrupt_cpu:rate5m',
      expr: `max by (uuid) (
  ${ofGuest(cpuTime('mode=~"irq|softirq"'))}
    or
  label_replace(uuid:xen_domain_cpu:rate5m - uuid:xen_task_cpu:rate5m, "seen_by", "xen", "", "")
)`,
    },
    {
      record: 'uuid:xen_interrupt_time:ratio_rate5m',
      expr: 'uuid:xen_interrupt_cpu:rate5m / uuid:xen_vcpus:count',
    },
    {
      record: 'uuid:xen_cpu_wanted:rate5m',
      expr: 'uuid:xen_steal:rate5m + uuid:xen_task_cpu:rate5m + uuid:xen_interrupt_cpu:rate5m',
    },
    {
      // Over the time that the guest wanted to run: a mostly idle guest that waits for each packet shows little over the wall clock.
      record: 'uuid:xen_steal:ratio_rate5m',
      expr: 'uuid:xen_steal:rate5m / (uuid:xen_cpu_wanted:rate5m > 0)',
    },
    { record: 'uuid:xen_netfront_interrupts:rate5m', expr: ofGuest(rxInterrupts) },
    {
      record: 'uuid:xen_netfront_interrupts_per_packet:ratio_rate5m',
      expr: `uuid:xen_netfront_interrupts:rate5m / (${ofGuest(summed('xen_netfront_receive_packets_total'))} > 0)`,
    },
    {
      record: 'uuid:xen_netfront_interrupts_per_vcpu:rate5m',
      expr: 'uuid:xen_netfront_interrupts:rate5m / uuid:xen_vcpus:count',
    },
    {
      // Not its interrupts: a vCPU that has no more time polls, and hardly any comes.
      record: 'uuid:xen_packets_on_one_vcpu:ratio_rate5m',
      expr: ofGuest(`max ${perGuest} (${received}) / (sum ${perGuest} (${received}) > 0)`),
    },
    {
      // Of a guest that has more, but one vCPU handles all packets.
      record: 'uuid:xen_interrupt_cpu_on_one_vcpu:rate5m',
      expr: 'uuid:xen_interrupt_cpu:rate5m and on (uuid) uuid:xen_packets_on_one_vcpu:ratio_rate5m > 0.9 and on (uuid) uuid:xen_vcpus:count > 1',
    },
  ];
};

/** One row for each guest and hop, from what its host says of it. */
export const hostRules = (p: Promql): RecordingRule[] => {
  const summed = (name: string, ...matchers: string[]): string => `sum ${perDomain} (${p.rate(name, ...matchers)})`;
  const worst = (name: string, ...matchers: string[]): string => `max ${perDomain} (${p.rate(name, ...matchers)})`;
  const observed = 'xen_domain_vcpu_observations_total';
  const runState = 'xen_domain_runstate_seconds_total';
  const runnableShare = (name: string): string => `${summed(name, 'state="runnable"')} / (${summed(name)} > 0)`;
  const mean = (name: string): string => `${summed(`${name}_sum`)} / (${summed(`${name}_count`)} > 0)`;
  const p99 = (name: string): string =>
    `histogram_quantile(0.99, sum by (job, instance, domain, le) (${p.rate(`${name}_bucket`)})) > 0`;
  const shareOfTime = ['rx_empty', 'guest_queue_full', 'tx_waiting', 'rate_limited'] as const;
  return [
    {
      // What was measured, where it was, else what was seen in looks.
      record: 'uuid:xen_vcpu_runnable:ratio_rate5m',
      expr: ofDomain(`${runnableShare(runState)} or ${runnableShare(observed)}`),
    },
    ...(['wake_delay', 'preempted_wait'] as const).flatMap((wait) => [
      {
        record: `uuid:xen_${wait}_seconds:mean_rate5m`,
        expr: ofDomain(mean(`xen_domain_${wait}_seconds`)),
      },
      {
        record: `uuid:xen_${wait}_seconds:p99_rate5m`,
        expr: ofDomain(p99(`xen_domain_${wait}_seconds`)),
      },
    ]),
    {
      record: 'uuid:xen_domain_cap:cpus',
      expr: ofDomain(`max ${perDomain} (${p.lastKnown('xen_domain_scheduler_cap_cpus')})`),
    },
    {
      record: 'uuid:xen_domain_cap_used:ratio_rate5m',
      expr: 'uuid:xen_domain_cpu:rate5m / uuid:xen_domain_cap:cpus',
    },
    { record: 'uuid:xen_backend_events:rate5m', expr: ofDomain(summed('xen_backend_events_total')) },
    {
      record: 'uuid:xen_backend_eoi_delay:ratio_rate5m',
      expr: ofDomain(worst('xen_backend_eoi_delay_seconds_total')),
    },
    {
      record: 'uuid:xen_netback_thread_cpu:ratio_rate5m',
      expr: ofDomain(worst('xen_netback_thread_cpu_seconds_total')),
    },
    { record: 'uuid:xen_netback_cpu:rate5m', expr: ofDomain(summed('xen_netback_cpu_seconds_total')) },
    {
      record: 'uuid:xen_netback_runqueue_wait:ratio_rate5m',
      expr: ofDomain(worst('xen_netback_thread_runqueue_wait_seconds_total')),
    },
    ...shareOfTime.map((what) => ({
      record: `uuid:xen_netback_${what}:ratio_rate5m`,
      expr: ofDomain(worst(`xen_netback_${what}_seconds_total`)),
    })),
    {
      record: 'uuid:xen_guest_not_draining:ratio_rate5m',
      expr: `(uuid:xen_netback_rx_empty:ratio_rate5m > uuid:xen_netback_guest_queue_full:ratio_rate5m or uuid:xen_netback_guest_queue_full:ratio_rate5m) unless on (uuid) ${ofDomain(`${p.lastKnown('xen_domain_state', { matchers: ['state="paused"'] })} == 1`)}`,
    },
    { record: 'uuid:xen_netback_slots:rate5m', expr: ofDomain(summed('xen_netback_ring_consumed_slots_total')) },
    {
      record: 'uuid:xen_grant_frames:ratio',
      expr: ofDomain(
        `max ${perDomain} (${p.lastKnown('xen_domain_grant_frames')} / ${p.lastKnown('xen_domain_grant_frames_limit')})`,
      ),
    },
    {
      // For a day.
      record: 'instance_domain_vif:xen_vif_connected:last_seen_timestamp_seconds',
      expr: `0 * (max by (job, instance, domain, vif) (${p.metric('xen_vif_connected')}) == 1) + time()
  or on (job, instance, domain, vif)
instance_domain_vif:xen_vif_connected:last_seen_timestamp_seconds > time() - ${daySeconds}`,
    },
    {
      record: 'uuid:xen_vif_disconnected:bool',
      expr: ofDomain(
        `max ${perDomain} ((1 - ${p.lastKnown('xen_vif_connected')}) and on (job, instance, domain, vif) instance_domain_vif:xen_vif_connected:last_seen_timestamp_seconds) unless on (job, instance, domain) ${p.lastKnown('xen_domain_state', { matchers: ['state="paused"'] })} == 1`,
      ),
    },
    {
      record: 'uuid:xen_vif_lost_packets:ratio_rate5m',
      expr: ofDomain(
        `max ${perDomain} (sum ${perVif} (${p.rate('xen_vif_receive_dropped_packets_total')} or ${p.rate('xen_vif_qdisc_drops_total')}) / (sum ${perVif} (${p.rate('xen_vif_receive_packets_total')}) > 0) and on (job, instance, domain, vif) ${p.lastKnown('xen_vif_connected')} == 1)`,
      ),
    },
  ];
};

/** What all guests of a host share. */
export const dom0Rules = (p: Promql): RecordingRule[] => {
  const isDom0 = `and on (job, instance) ${p.recent('xen_guest_info', 'role="dom0"')}`;
  return [
    {
      record: 'instance:xen_dom0_steal:ratio_rate5m',
      expr: `${cpuTime('mode="steal"')} / (${cpuTime(wanted)} > 0) ${isDom0}`,
    },
    {
      record: 'instance:xen_netback_cpu:ratio_rate5m',
      expr: `sum ${perGuest} (${p.rate('xen_netback_cpu_seconds_total')}) / ${cpuCount(p)}`,
    },
    {
      record: 'instance:xen_uplink_lost_packets:rate5m',
      // Their labels differ: none hides another.
      expr: `sum ${perGuest} (${p.rate('xen_uplink_receive_missed_total')} or ${p.rate('xen_conntrack_drops_total')} or ${p.rate('xen_ovs_lost_packets_total')})`,
    },
    {
      // Of them and those that were passed to guests.
      record: 'instance:xen_uplink_lost_packets:ratio_rate5m',
      expr: `instance:xen_uplink_lost_packets:rate5m / (instance:xen_uplink_lost_packets:rate5m + sum ${perGuest} (${p.rate('xen_vif_receive_packets_total')}) > 0)`,
    },
  ];
};
