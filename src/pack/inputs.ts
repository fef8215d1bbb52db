import { by, promql, withDomain, withGuest, type Promql } from './promql.ts';
import { lastSeen, onHosts } from './recording/identity.ts';
import type { RecordingRule } from './recording/recording-rule.ts';

// Records made from exporter metrics. All other rules and most panels read only records, so another exporter can feed
// them.

// Aggregate before joining: the join then has fewer rows.
const perExporter = 'instance';
const perNamespace = 'instance, netns';
const perDomain = 'instance, domain';
const perVif = 'instance, domain, vif';
const onListener = 'on (job, instance, netns, address, port, family)';

/** Growth of a counter in each guest's exporter, summed. */
const growthOfGuest = (p: Promql, name: string, ...matchers: readonly string[]): string =>
  by('sum', 'uuid', withGuest(by('sum', perExporter, p.rate(name, ...matchers))));

/**
 * Records from the exporter in each guest. The label netns names a network namespace; it is absent for the guest's own.
 */
export const guestInputs = {
  /** Accept queues and SYN queues. */
  queues: (p: Promql): RecordingRule[] => {
    /** One value for each network namespace. `expr` may have several. */
    const of = (aggregation: 'sum' | 'max' | 'min', expr: string): string =>
      by(aggregation, 'uuid, netns', withGuest(by(aggregation, perNamespace, expr)));
    const summed = (name: string): string => of('sum', p.rate(name));
    const dequeued = p.recentRate(60, 'xen_listener_accept_queue_dequeued_total');
    const fullTime = p.rate('xen_listener_accept_queue_full_seconds_total');
    const limit = p.recent('xen_listener_accept_queue_limit');
    const samples = p.rate('xen_listener_accept_queue_fill_ratio_count');
    const atMostThreeQuarters = p.rate('xen_listener_accept_queue_fill_ratio_bucket', 'le="0.75"');
    const fastOpens = p.rate('xen_tcp_fastopen_passive_total');
    const fastOpenOverflows = p.rate('xen_tcp_fastopen_listen_overflow_total');
    return [
      { record: 'uuid_netns:xen_accepts:rate5m', expr: summed('xen_tcp_passive_opens_total') },
      { record: 'uuid_netns:xen_listen_overflows:rate5m', expr: summed('xen_tcp_listen_overflows_total') },
      {
        record: 'uuid_netns:xen_syn_queue_overflows:rate5m',
        expr: of(
          'sum',
          promql`
            ${p.rate('xen_tcp_syn_queue_full_drops_total')}
              +
            ${p.rate('xen_tcp_syn_queue_full_cookies_total')}`,
        ),
      },
      { record: 'uuid_netns:xen_accept_queue_full:ratio_rate5m', expr: of('max', fullTime) },
      {
        // A backlog of 8 or less is three quarters full with a few connections.
        record: 'uuid_netns:xen_accept_queue_above_three_quarters:ratio_rate5m',
        expr: promql`
          1 - ${of(
            'min',
            promql`
              ${atMostThreeQuarters}
                / ignoring (le) (${samples} > 0) < 1
                and ${onListener} ${limit} > 8`,
          )}`,
      },
      {
        // The smallest queue that is full at times although its server accepts.
        record: 'uuid_netns:xen_full_accept_queue_limit:min',
        expr: of(
          'min',
          promql`
            ${limit}
              and ${onListener} (
                ${fullTime} > ${p.threshold('XenAcceptQueueOverflow')}
                  and ${onListener} ${dequeued} > 0
              )`,
        ),
      },
      {
        // Servers that accepted nothing for a minute. A five-minute window would include earlier accepts and blame the
        // backlog.
        record: 'uuid_netns:xen_stalled_accept_queue_fill:min',
        expr: of(
          'max',
          promql`
            min_over_time(${p.metric('xen_listener_accept_queue_max_fill_ratio')}[${p.shortWindow(60)}]) > 0
              and ${onListener} ${dequeued} == 0`,
        ),
      },
      {
        // Ratio of clients that send data in their SYN. No row if fewer than one in ten seconds meets a full queue.
        record: 'uuid_netns:xen_fastopen_overflow:ratio_rate5m',
        expr: of(
          'max',
          promql`
            (${fastOpenOverflows} > 0.1)
              / (${fastOpenOverflows} + ${fastOpens})`,
        ),
      },
      {
        // Ratio of all accepted connections. The setting is from the exporter's own network namespace.
        record: 'uuid_netns:xen_fastopen_without_cookies:ratio_rate5m',
        expr: of(
          'max',
          promql`
            (${fastOpens} > 0)
              / ${p.rate('xen_tcp_passive_opens_total')}
              and on (job, instance, netns) ${p.recent('xen_tcp_fastopen_without_cookies')} == 1`,
        ),
      },
      {
        // Little's law: mean queue length divided by accepts per second.
        record: 'uuid_netns:xen_accept_wait_seconds:mean5m',
        expr: promql`
          ${summed('xen_listener_accept_queue_connection_seconds_total')}
            / (uuid_netns:xen_accepts:rate5m > 0)`,
      },
      {
        // A five-minute mean needs two and a half minutes without accepts to fall by half.
        record: 'uuid:xen_recent_accepts:rate',
        expr: by('sum', 'uuid', withGuest(`rate(${p.metric('xen_tcp_passive_opens_total')}[${p.window(120)}])`)),
      },
      {
        record: 'uuid:xen_syn_retransmits:rate5m',
        expr: growthOfGuest(p, 'xen_tcp_syn_retransmits_total'),
      },
    ];
  },

  /** CPU time in CPUs, and the number of CPUs. */
  cpu: (p: Promql): RecordingRule[] => {
    const time = (modes: string): string => growthOfGuest(p, 'xen_cpu_seconds_total', modes);
    /** The same with the label instance, to combine it with a value of the guest. */
    const growthOf = (modes: string): string =>
      withGuest(by('sum', perExporter, p.rate('xen_cpu_seconds_total', modes)));
    return [
      {
        record: 'uuid:xen_vcpus:count',
        expr: by('max', 'uuid', withGuest(by('count', perExporter, p.recent('xen_cpu_seconds_total', 'mode="idle"')))),
      },
      { record: 'uuid:xen_steal:rate5m', expr: time('mode="steal"') },
      {
        record: 'uuid:xen_task_cpu:rate5m',
        expr: time('mode!~"idle|iowait|steal|irq|softirq"'),
      },
      {
        // A kernel with tick-based accounting counts no CPU time while idle and books its interrupts as idle. Time that
        // Xen saw beyond the tasks is theirs. In a busy kernel that difference is lost ticks, so only idle time counts.
        record: 'uuid:xen_interrupt_cpu:rate5m',
        expr: promql`
          max by (uuid) (
            ${growthOf('mode=~"irq|softirq"')}
              or
            min by (uuid) (
              uuid:xen_domain_cpu:rate5m - uuid:xen_task_cpu:rate5m
                or
              ${growthOf('mode=~"irq|softirq|idle|iowait"')}
                and on (uuid) uuid:xen_domain_cpu:rate5m
            )
          )`,
      },
      {
        // Ratio of the last minute in which the guest had work. Niced processes yield to a server. A page names its
        // cause within a minute or two, too soon for a five-minute mean to change.
        record: 'uuid:xen_recent_wanted_cpu:ratio_rate',
        expr: promql`
          1 - ${by(
            'sum',
            'uuid',
            withGuest(by('sum', perExporter, p.recentRate(60, 'xen_cpu_seconds_total', 'mode=~"idle|iowait|nice"'))),
          )}
            / uuid:xen_vcpus:count`,
      },
    ];
  },

  /** Packets and interrupts of the guest's network. */
  network: (p: Promql): RecordingRule[] => {
    const handled = p.rate('xen_softnet_processed_packets_total');
    return [
      {
        record: 'uuid:xen_netfront_interrupts:rate5m',
        expr: growthOfGuest(p, 'xen_netfront_interrupts_total', 'ring=~"rx|shared"'),
      },
      {
        record: 'uuid:xen_netfront_received_packets:rate5m',
        expr: growthOfGuest(p, 'xen_netfront_receive_packets_total'),
      },
      {
        // Not interrupts: a saturated vCPU polls and gets hardly any.
        record: 'uuid:xen_packets_on_one_vcpu:ratio_rate5m',
        expr: by(
          'max',
          'uuid',
          withGuest(promql`
            (
              ${by('max', perExporter, handled)}
                / (${by('sum', perExporter, handled)} > 0)
            )`),
        ),
      },
    ];
  },

  /** Readings of the probes on the guest's accept queues. */
  probes: (p: Promql): RecordingRule[] => {
    const seen = growthOfGuest(p, 'xen_accept_wait_seconds_count');
    return [
      ...(['0.5', '0.99'] as const).map((quantile) => ({
        record: `uuid:xen_accept_wait_seconds:p${quantile.slice(2).padEnd(2, '0')}_rate5m`,
        expr: promql`
          histogram_quantile(${quantile},
            ${by('sum', 'uuid, le', withGuest(p.rate('xen_accept_wait_seconds_bucket')))}
          ) > 0`,
      })),
      {
        // Ratio of the connections that accept() returned while a probe was armed.
        record: 'uuid:xen_accept_wait_seen:ratio_rate5m',
        expr: promql`
          ${seen}
            / (
              ${seen}
                +
              ${growthOfGuest(p, 'xen_accept_wait_unmatched_total')}
                > 0
            )`,
      },
    ];
  },
} as const;

/**
 * Growth of a counter that a host has for each guest, summed. After a migration, or if a host has two targets, the
 * greatest sum counts.
 */
const growthOfDomain = (p: Promql, name: string): string =>
  by('max', 'uuid', withDomain(by('sum', perDomain, p.rate(name))));

/** Records from the exporters of each guest's host: its Dom0 and driver domains. */
export const domainInputs = {
  /** CPU time and waits of a guest's vCPUs as seen by Xen. */
  cpu: ({ ofHosts: p }: Promql): RecordingRule[] => {
    const runnableShare = (name: string): string => promql`
      ${by('sum', perDomain, p.rate(name, 'state="runnable"'))}
        / (${by('sum', perDomain, p.rate(name))} > 0)`;
    const vcpus = by('max', perDomain, p.recent('xen_domain_vcpus', 'state="online"'));
    const xapiStates = 'xen_xapi_domain_runstate_seconds_total';
    // xapi gives one state for the whole domain. In two states some but not all vCPUs wait: one of two, or at least one
    // of more.
    const xapiRunnableShare = promql`
      (
        ${by('sum', perDomain, p.rate(xapiStates, 'state="full_contention"'))}
          +
        ${by('sum', perDomain, p.rate(xapiStates, 'state=~"concurrency_hazard|partial_contention"'))}
          / on (${perDomain}) ${vcpus}
      )
        / (${by('sum', perDomain, p.rate(xapiStates))} > 0)`;
    return [
      { record: 'uuid:xen_domain_cpu:rate5m', expr: growthOfDomain(p, 'xen_domain_cpu_seconds_total') },
      {
        // The measured value if there is one, else the sampled one, else xapi's.
        record: 'uuid:xen_vcpu_runnable:ratio_rate5m',
        expr: by(
          'max',
          'uuid',
          withDomain(promql`
            (
              ${runnableShare('xen_domain_runstate_seconds_total')}
                or
              ${runnableShare('xen_domain_vcpu_observations_total')}
                or
              ${xapiRunnableShare}
            )`),
        ),
      },
      ...(['wake_delay', 'preempted_wait'] as const).flatMap((wait) => {
        const name = `xen_domain_${wait}_seconds`;
        return [
          {
            record: `uuid:xen_${wait}_seconds:mean_rate5m`,
            expr: promql`
              ${growthOfDomain(p, `${name}_sum`)}
                /
              (${growthOfDomain(p, `${name}_count`)} > 0)`,
          },
          {
            record: `uuid:xen_${wait}_seconds:p99_rate5m`,
            expr: promql`
              histogram_quantile(0.99,
                ${by('sum', 'uuid, le', withDomain(p.rate(`${name}_bucket`)))}
              ) > 0`,
          },
        ];
      }),
      {
        // Under rtds each vCPU's budget is its cap, unless it may use spare time.
        record: 'uuid:xen_domain_cap:cpus',
        expr: by(
          'max',
          'uuid',
          withDomain(promql`
            (
              ${p.recent('xen_domain_scheduler_cap_cpus')}
                or
              ${p.recent('xen_domain_scheduler_budget_seconds')}
                / ${p.recent('xen_domain_scheduler_period_seconds')}
                * on (${perDomain}) ${vcpus}
                unless on (${perDomain}) ${p.recent('xen_domain_scheduler_extratime')} == 1
            )`),
        ),
      },
    ];
  },

  /** Backends of a guest's devices: vif, netback, grants and events. */
  network: (all: Promql): RecordingRule[] => {
    const p = all.ofHosts;
    const worst = (expr: string): string => by('max', 'uuid', withDomain(by('max', perDomain, expr)));
    const paused = `${p.recent('xen_domain_state', 'state="paused"')} == 1`;
    const lastConnected = 'instance_domain_vif:xen_vif_connected:last_seen_timestamp_seconds';
    return [
      { record: 'uuid:xen_backend_events:rate5m', expr: growthOfDomain(p, 'xen_backend_events_total') },
      {
        record: 'uuid:xen_backend_eoi_delay:ratio_rate5m',
        expr: worst(`${p.rate('xen_backend_eoi_delay_seconds_total')} > 0`),
      },
      {
        record: 'uuid:xen_netback_thread_cpu:ratio_rate5m',
        expr: worst(p.rate('xen_netback_thread_cpu_seconds_total')),
      },
      { record: 'uuid:xen_netback_cpu:rate5m', expr: growthOfDomain(p, 'xen_netback_cpu_seconds_total') },
      {
        record: 'uuid:xen_netback_rate_limited:ratio_rate5m',
        expr: worst(`${p.rate('xen_netback_rate_limited_seconds_total')} > 0`),
      },
      { record: 'uuid:xen_netback_slots:rate5m', expr: growthOfDomain(p, 'xen_netback_ring_consumed_slots_total') },
      {
        record: 'uuid:xen_grant_frames:ratio',
        expr: worst(promql`
          ${p.recent('xen_domain_grant_frames')}
            /
          ${p.recent('xen_domain_grant_frames_limit')}`),
      },
      {
        record: 'uuid:xen_domain_paused:bool',
        expr: worst(paused),
      },
      {
        // The worst queue, by lack of receive buffers or by a full queue for the guest. Their job labels differ.
        record: 'uuid:xen_guest_not_draining:ratio_rate5m',
        expr: promql`
          ${worst(promql`
            sum by (${perVif}, queue) (${p.rate('xen_netback_guest_queue_full_seconds_total')})
              or
            ${p.rate('xen_netback_rx_empty_seconds_total')}`)}
            unless on (uuid) uuid:xen_domain_paused:bool`,
      },
      lastSeen(
        lastConnected,
        perVif,
        promql`
          (
            ${onHosts(by('max', perVif, `${p.metric('xen_vif_connected')} == 1`))}
          )`,
      ),
      {
        record: 'uuid:xen_vif_disconnected:bool',
        expr: promql`
          ${worst(promql`
            1 - (${p.lastKnown('xen_vif_connected')} == 0)
              and on (${perVif}) ${lastConnected}`)}
            unless on (uuid) uuid:xen_domain_paused:bool`,
      },
      {
        record: 'uuid:xen_vif_lost_packets:ratio_rate5m',
        expr: worst(promql`
          sum by (${perVif}) (
            ${p.rate('xen_vif_receive_dropped_packets_total')}
              or
            ${p.rate('xen_vif_qdisc_drops_total')}
          )
            / (sum by (${perVif}) (${p.rate('xen_vif_receive_packets_total')}) > 0)
            and on (${perVif}) ${p.recent('xen_vif_connected')} == 1`),
      },
    ];
  },
} as const;

/** Records from each host's exporter about resources that its guests share. */
export const hostInputs = {
  hosts: (all: Promql): RecordingRule[] => {
    const p = all.ofHosts;
    const cpu = (modes: string): string => by('sum', perExporter, p.rate('xen_cpu_seconds_total', modes));
    return [
      {
        record: 'instance:xen_dom0_steal:rate5m',
        expr: promql`
          ${onHosts(cpu('mode="steal"'))}
            and on (instance) ${p.recent('xen_guest_info', 'role="dom0"')}`,
      },
      {
        record: 'instance:xen_dom0_steal:ratio_rate5m',
        expr: promql`
          instance:xen_dom0_steal:rate5m
            / (${cpu('mode!~"idle|iowait"')} > 0)`,
      },
      {
        record: 'instance:xen_netback_cpu:ratio_rate5m',
        expr: onHosts(promql`
          ${by('sum', perExporter, p.rate('xen_netback_cpu_seconds_total'))}
            /
          ${by('count', perExporter, p.recent('xen_cpu_seconds_total', 'mode="idle"'))}`),
      },
      {
        // The labels differ, so no operand hides another.
        record: 'instance:xen_uplink_lost_packets:rate5m',
        expr: onHosts(promql`
          sum by (${perExporter}) (
            ${p.rate('xen_uplink_receive_missed_total')}
              or
            ${p.rate('xen_conntrack_drops_total')}
              or
            ${p.rate('xen_ovs_lost_packets_total')}
          )`),
      },
      {
        // Relative to these packets plus those passed to guests.
        record: 'instance:xen_uplink_lost_packets:ratio_rate5m',
        expr: promql`
          instance:xen_uplink_lost_packets:rate5m
            / (
              instance:xen_uplink_lost_packets:rate5m
                +
              ${by('sum', perExporter, p.rate('xen_vif_receive_packets_total'))}
                > 0
            )`,
      },
    ];
  },

  /** Readings of the probes in a host, for each guest and for the host. */
  probes: (all: Promql): RecordingRule[] => {
    const p = all.ofHosts;
    const armed = (probes: 'grants' | 'events'): string =>
      by('max', perExporter, p.rate('xen_exporter_probe_armed_seconds_total', `probes="${probes}"`));
    /** A rate by job, instance and other labels, divided by the ratio of time in which these probes were armed. */
    const whileArmed = (probes: 'grants' | 'events', rate: string): string => promql`
      ${rate}
        / on (instance) group_left () (${armed(probes)} > 0)`;
    const ofDomain = (expr: string): string => by('max', 'uuid', withDomain(`(${expr})`));
    return [
      {
        // Only operations of its threads: softirqs have no guest name.
        record: 'uuid:xen_grant_operations:rate5m',
        expr: ofDomain(whileArmed('grants', by('sum', perDomain, p.rate('xen_grant_operations_total')))),
      },
      {
        record: 'instance:xen_grant_operations:rate5m',
        expr: onHosts(whileArmed('grants', by('sum', perExporter, p.rate('xen_grant_operations_total')))),
      },
      {
        // Mean number of CPUs in grant calls.
        record: 'instance:xen_grant_calls:ratio_rate5m',
        expr: onHosts(whileArmed('grants', by('sum', perExporter, p.rate('xen_grant_call_duration_seconds_sum')))),
      },
      {
        record: 'instance:xen_grant_calls_of_cpu:ratio_rate5m',
        expr: promql`
          instance:xen_grant_calls:ratio_rate5m
            / (${by('sum', perExporter, p.rate('xen_cpu_seconds_total', 'mode!~"idle|iowait|steal"'))} > 0)`,
      },
      {
        record: 'instance:xen_grant_calls_of_all_cpus:ratio_rate5m',
        expr: promql`
          instance:xen_grant_calls:ratio_rate5m
            / ${by('count', perExporter, p.recent('xen_cpu_seconds_total', 'mode="idle"'))}`,
      },
      {
        // Events to the guest.
        record: 'uuid:xen_event_channel_sends:rate5m',
        expr: ofDomain(
          whileArmed('events', by('sum', perDomain, p.rate('xen_event_channel_sends_total', 'source="netback"'))),
        ),
      },
      {
        record: 'instance:xen_event_channel_sends:rate5m',
        expr: onHosts(whileArmed('events', by('sum', perExporter, p.rate('xen_event_channel_sends_total')))),
      },
    ];
  },
} as const;
