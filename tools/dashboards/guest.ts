import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardUids } from '../../src/pack/dashboards.ts';
import { scoreName } from '../../src/pack/recording/score.ts';
import { alertTable, causeTable } from './alert-tables.ts';
import { dashboard, type Board, type Section } from './board.ts';
import { graph, heatmap, lanes, stat, table, type PlacedPanel } from './panels.ts';
import {
  chosen,
  dropsPerAccept,
  labelled,
  named,
  ofDomain,
  ofGuest,
  rate,
  recorded,
  select,
  worst,
  worstOfDomain,
} from './promql.ts';
import { scoreLimits, steps, type AlertLimits } from './thresholds.ts';
import { guestVariables } from './variables.ts';

const record = (name: string): string => recorded(`uuid:xen_${name}`);
/** A row for each network namespace of the guest. The label netns is absent for its own. */
const inNamespace = (name: string): string => recorded(`uuid_netns:xen_${name}`);
/** Share of samples above three quarters. The record has no rows for zero. */
const aboveThreeQuarters = named(
  `(${select('uuid_netns:xen_accept_queue_above_three_quarters:ratio_rate5m', chosen.uuid)} or 0 * ${select('uuid_netns:xen_accept_queue_full:ratio_rate5m', chosen.uuid)})`,
);
/** Growth of a counter of the guest's own exporter, by these labels. */
const inGuest = (name: string, labels: readonly string[] = [], ...matchers: readonly string[]): string =>
  ofGuest(rate(`xen_${name}`, chosen.guest, ...matchers), ...labels);
/** Growth of a host's counter about the guest, by these labels. */
const onHost = (name: string, labels: readonly string[] = [], ...matchers: readonly string[]): string =>
  ofDomain(rate(`xen_${name}`, chosen.domain, ...matchers), ...labels);

/** The fastest growth of a host's counter about the guest. */
const worstOnHost = (name: string): string => worstOfDomain(rate(`xen_${name}`, chosen.domain));

const identity = select('uuid:xen_guest_identity:info', chosen.uuid);

const summary = ({ limitsOf, hopsWithCause }: AlertLimits): Section => ({
  panels: [
    stat({
      title: 'Accepts',
      description: 'Connections per second that entered an accept queue.',
      unit: 'cps',
      decimals: 1,
      width: 4,
      query: [record('accepts:rate5m'), '{{domain}}'],
    }),
    stat({
      title: 'Drops per accept',
      description: 'Attempts that met a full accept queue per accepted connection. A refused client retries.',
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      limits: steps([1e-9, 'red']),
      query: [named(dropsPerAccept), '{{domain}}'],
    }),
    stat({
      title: 'Accept queue full',
      description: 'Share of time in which the fullest accept queue was full. XenAcceptQueueOverflow uses this value.',
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      limits: limitsOf('XenAcceptQueueOverflow'),
      query: [named(worst('uuid_netns:xen_accept_queue_full:ratio_rate5m')), '{{domain}}'],
    }),
    stat({
      title: 'Wait in the accept queue',
      description:
        'Mean time between the end of the handshake and accept(), over all listeners of a network namespace (Little’s law).',
      unit: 's',
      decimals: 1,
      width: 4,
      query: [named(worst('uuid_netns:xen_accept_wait_seconds:mean5m')), '{{domain}}'],
    }),
    stat({
      title: 'SYNs sent again',
      description: 'SYNs and SYN-ACKs retransmitted per second. Each delays a connection.',
      unit: 'cps',
      decimals: 2,
      width: 4,
      query: [record('syn_retransmits:rate5m'), '{{domain}}'],
    }),
    stat({
      title: 'Guest and host',
      description: 'The guest’s host, by the address of its exporter.',
      unit: 'short',
      width: 4,
      isName: true,
      query: [`max by (domain, host) (${identity})`, '{{domain}} on {{host}}'],
    }),
    lanes({
      title: 'The hop that collapses',
      description:
        'The path of a SYN from top to bottom. A hop is yellow from half of its alert’s threshold and red where the alert fires. Of several guests the worst counts.',
      unit: 'short',
      width: 24,
      limits: scoreLimits(),
      words: { '0': { text: 'far from its limit' } },
      queries: hopsWithCause.map((hop) => [
        `max(${select(scoreName, chosen.uuid, `hop="${hop}"`)} or 0 * ${identity})`,
        hop,
      ]),
    }),
    causeTable(12, 7),
    alertTable(12, 7, 'uuid=~"$guest"'),
  ],
});

const lostOnHost = [
  labelled(`sum(${rate('xen_uplink_receive_missed_total', chosen.hostOfGuest)})`, 'where', 'network cards'),
  labelled(`sum(${rate('xen_conntrack_drops_total', chosen.hostOfGuest)})`, 'where', 'connection tracking'),
  labelled(`sum(${rate('xen_ovs_lost_packets_total', chosen.hostOfGuest)})`, 'where', 'Open vSwitch'),
].join(' or ');

const uplink: Section = {
  title: '1  Network card and bridge of the host',
  panels: [
    graph({
      title: 'Lost before the bridge',
      description: 'Packets for all guests of the host that were lost before they reached a vif.',
      unit: 'pps',
      width: 12,
      queries: [[lostOnHost, '{{where}}']],
    }),
    graph({
      title: 'Packets to the guest',
      description: 'Packets that the host sent on the vifs and that the guest received. A difference means loss.',
      unit: 'pps',
      width: 12,
      queries: [
        [onHost('vif_receive_packets_total'), '{{domain}}: host sent'],
        [inGuest('netfront_receive_packets_total'), '{{domain}}: guest received'],
      ],
    }),
  ],
};

const vif = ({ limitsOf }: AlertLimits): Section => ({
  title: '2  vif queue',
  panels: [
    graph({
      title: 'Share of packets lost',
      description:
        'Share of packets for the guest that its vif or the qdisc in front of it dropped. XenVifDropping fires above the lines.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenVifDropping'),
      queries: [[record('vif_lost_packets:ratio_rate5m'), '{{domain}}']],
    }),
    graph({
      title: 'Packets lost, by reason',
      description:
        'Refused: netback’s queue for the guest was full, or the guest was not connected. Expired: the packets waited too long for receive buffers. Qdisc: dropped before netback.',
      unit: 'pps',
      width: 12,
      queries: [
        [
          `${onHost('vif_receive_dropped_packets_total', ['reason'])} or ${labelled(onHost('vif_qdisc_drops_total'), 'reason', 'qdisc')}`,
          '{{domain}}: {{reason}}',
        ],
      ],
    }),
  ],
});

const netback = ({ limitsOf }: AlertLimits): Section => ({
  title: '3  netback: ring and thread',
  panels: [
    graph({
      title: 'Share of time that the ring or the queue stands still',
      description:
        'Worst queue, sampled in Dom0. XenGuestNotDraining fires above the line. The limit for rate-limited vifs is lower, see XenNetbackRateLimited.',
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenGuestNotDraining'),
      queries: [
        [worstOnHost('netback_rx_empty_seconds_total'), '{{domain}}: no receive buffer'],
        [worstOnHost('netback_guest_queue_full_seconds_total'), '{{domain}}: queue for the guest full'],
        [worstOnHost('netback_tx_waiting_seconds_total'), '{{domain}}: sent packets wait'],
        [worstOnHost('netback_rate_limited_seconds_total'), '{{domain}}: rate limited'],
      ],
    }),
    graph({
      title: 'netback thread',
      description:
        'CPU time of the guest’s busiest thread, and its wait for a CPU of Dom0, relative to one CPU. XenNetbackSaturated fires above the line.',
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenNetbackSaturated'),
      queries: [
        [record('netback_thread_cpu:ratio_rate5m'), '{{domain}}: runs'],
        [worstOnHost('netback_thread_runqueue_wait_seconds_total'), '{{domain}}: waits'],
      ],
    }),
    graph({
      title: 'Ring slots',
      description:
        'Slots that netback takes, each about one grant copy. tx: packets from the guest, rx: packets to it. XenGrantOperationsHigh uses the sum.',
      unit: 'ops',
      width: 8,
      limits: limitsOf('XenGrantOperationsHigh'),
      queries: [[onHost('netback_ring_consumed_slots_total', ['ring']), '{{domain}}: {{ring}}']],
    }),
  ],
});

const events = ({ limitsOf, limitsOfLevel }: AlertLimits): Section => ({
  title: '4  Event channel',
  panels: [
    graph({
      title: 'Events',
      description:
        'Events that Dom0 handles for all devices of the guest, and interrupts of the guest’s network devices. XenEventChannelStorm fires for Dom0 above the line.',
      unit: 'cps',
      width: 8,
      limits: limitsOfLevel('XenEventChannelStorm', 'info'),
      queries: [
        [onHost('backend_events_total'), '{{domain}}: guest to Dom0'],
        [inGuest('netfront_interrupts_total', ['ring']), '{{domain}}: Dom0 to guest, {{ring}}'],
      ],
    }),
    graph({
      title: 'Interrupts for each packet received',
      description: 'Near 1 each packet costs its own interrupt: harmless while idle, a storm under load.',
      unit: 'short',
      decimals: 2,
      width: 8,
      queries: [
        [
          named(
            `(${select('uuid:xen_netfront_interrupts:rate5m', chosen.uuid)} / (${select('uuid:xen_netfront_received_packets:rate5m', chosen.uuid)} > 0))`,
          ),
          '{{domain}}',
        ],
      ],
    }),
    graph({
      title: 'Time of vCPUs in interrupts',
      description: 'Share of the time of all vCPUs. XenEventChannelStorm fires above the line.',
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenEventChannelStorm'),
      queries: [
        [
          named(
            `(${select('uuid:xen_interrupt_cpu:rate5m', chosen.uuid)} / ${select('uuid:xen_vcpus:count', chosen.uuid)})`,
          ),
          '{{domain}}',
        ],
      ],
    }),
  ],
});

const vcpu = ({ limitsOf }: AlertLimits): Section => ({
  title: '5  vCPU',
  panels: [
    graph({
      title: 'Waiting for a physical CPU',
      description:
        'Guest’s view: steal relative to wanted CPU time; XenVcpuStarved fires above the line. Xen’s view: share of observations in which its vCPUs were ready but did not run (XenCreditExhaustion).',
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenVcpuStarved'),
      queries: [
        [record('steal:ratio_rate5m'), '{{domain}}: steal'],
        [record('vcpu_runnable:ratio_rate5m'), '{{domain}}: runnable'],
      ],
    }),
    graph({
      title: 'Observed vCPU states',
      description: 'Share of observations by the host: running, blocked, or runnable (waiting for a CPU).',
      unit: 'percentunit',
      max: 1,
      stacked: true,
      width: 8,
      queries: [
        [
          `${onHost('domain_vcpu_observations_total', ['state'])} / on (uuid) group_left () sum by (uuid) (${onHost('domain_vcpu_observations_total')})`,
          '{{domain}}: {{state}}',
        ],
      ],
    }),
    graph({
      title: 'CPU time of the guest',
      description: 'In CPUs by mode, without idle.',
      unit: 'short',
      decimals: 2,
      stacked: true,
      width: 8,
      queries: [[inGuest('cpu_seconds_total', ['mode'], 'mode!~"idle|iowait"'), '{{domain}}: {{mode}}']],
    }),
  ],
});

const netfront = ({ limitsOf }: AlertLimits): Section => ({
  title: '6  netfront',
  panels: [
    graph({
      title: 'Time in interrupts',
      description:
        'Interrupt time of all vCPUs relative to one vCPU: time that Xen saw beyond the tasks, or the kernel’s own count if that is higher. XenVifInterruptsOnOneVcpu fires above the line if one vCPU handles the vif interrupts.',
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenVifInterruptsOnOneVcpu'),
      queries: [[record('interrupt_cpu:rate5m'), '{{domain}}']],
    }),
    graph({
      title: 'Network events by vCPU',
      description: 'Event channel interrupts of network devices by vCPU of the guest.',
      unit: 'cps',
      width: 8,
      queries: [[inGuest('cpu_events_total', ['cpu'], 'source="netfront"'), '{{domain}}: vCPU {{cpu}}']],
    }),
    graph({
      title: 'Dropped or deferred in the guest',
      description:
        'Packets that the guest’s kernel dropped before TCP, and times that a vCPU deferred packets because its budget was used up.',
      unit: 'cps',
      width: 8,
      queries: [
        [inGuest('softnet_dropped_packets_total'), '{{domain}}: backlog full'],
        [inGuest('softnet_times_squeezed_total'), '{{domain}}: budget used up'],
        [inGuest('netfront_receive_dropped_packets_total'), '{{domain}}: netfront dropped'],
      ],
    }),
  ],
});

const listenerTable = ({ limitsOf }: AlertLimits): PlacedPanel => {
  const listener = ['netns', 'address', 'port'] as const;
  const now = (name: string): string => ofGuest(select(`xen_listener_${name}`, chosen.guest), ...listener);
  const growth = (name: string): string => inGuest(`listener_${name}`, listener);
  return table({
    title: 'Listeners',
    description:
      'Every listening socket, including other network namespaces if the exporter reads them: connections waiting for accept(), queue limit, fill ratio of the fullest socket, share of time full, drops, and connections that left the queue (a lower bound of accepts).',
    width: 24,
    height: 8,
    labels: [
      { label: 'domain', name: 'Guest', width: 120 },
      { label: 'host', name: 'Host', width: 150 },
      { label: 'netns', name: 'Namespace', width: 150 },
      { label: 'address', name: 'Address', width: 150 },
      { label: 'port', name: 'Port', width: 80 },
    ],
    hidden: ['uuid'],
    values: [
      { name: 'Waiting', expr: now('accept_queue_length'), decimals: 0 },
      { name: 'Limit', expr: now('accept_queue_limit'), decimals: 0 },
      { name: 'Sockets', expr: now('sockets'), decimals: 0 },
      { name: 'Fill', expr: now('accept_queue_max_fill_ratio'), unit: 'percentunit', decimals: 0 },
      {
        name: 'Full',
        expr: growth('accept_queue_full_seconds_total'),
        unit: 'percentunit',
        decimals: 1,
        limits: limitsOf('XenAcceptQueueOverflow'),
      },
      { name: 'Dropped', expr: growth('drops_total'), unit: 'cps', decimals: 1 },
      { name: 'Left the queue', expr: growth('accept_queue_dequeued_total'), unit: 'cps', decimals: 1 },
    ],
    sortBy: 'Full',
  });
};

const synQueue = ({ limitsOf }: AlertLimits): Section => ({
  title: '7  SYN queue',
  panels: [
    graph({
      title: 'SYN queue overflows',
      description:
        'SYNs that met a full SYN queue, dropped or answered with a cookie. XenSynQueueOverflow fires above the line, unless a full accept queue is the cause.',
      unit: 'cps',
      width: 8,
      limits: limitsOf('XenSynQueueOverflow'),
      queries: [[inNamespace('syn_queue_overflows:rate5m'), '{{domain}} {{netns}}']],
    }),
    graph({
      title: 'SYN cookies',
      description: 'SYN cookies sent, returned valid, and returned invalid.',
      unit: 'cps',
      width: 8,
      queries: [
        [inGuest('tcp_syncookies_sent_total'), '{{domain}}: sent'],
        [inGuest('tcp_syncookies_received_total'), '{{domain}}: valid'],
        [inGuest('tcp_syncookies_failed_total'), '{{domain}}: invalid'],
      ],
    }),
    graph({
      title: 'Retransmissions and resets',
      description: 'Retransmitted SYNs and SYN-ACKs, and resets of connections in the handshake.',
      unit: 'cps',
      width: 8,
      queries: [
        [inGuest('tcp_syn_retransmits_total'), '{{domain}}: sent again'],
        [inGuest('tcp_embryonic_resets_total'), '{{domain}}: reset'],
      ],
    }),
  ],
});

const acceptQueue = (limits: AlertLimits): Section => ({
  title: '8  Accept queue',
  panels: [
    graph({
      title: 'Mean length and limit',
      description:
        'Mean number of connections waiting for accept(), over all listeners, from the integral of samples, so bursts count. The limit is the fullest listener’s.',
      unit: 'short',
      decimals: 1,
      width: 8,
      height: 8,
      queries: [
        [inGuest('listener_accept_queue_connection_seconds_total'), '{{domain}}: mean length'],
        [
          ofGuest(
            `min by (job, instance) (${select('xen_listener_accept_queue_limit', chosen.guest)} and on (job, instance, netns, address, port, family) topk by (job, instance) (1, ${select('xen_listener_accept_queue_max_fill_ratio', chosen.guest)}))`,
          ),
          '{{domain}}: limit of the fullest',
        ],
      ],
    }),
    graph({
      title: 'Share of time full',
      description: 'Worst listener of each network namespace. XenAcceptQueueOverflow fires above the line.',
      unit: 'percentunit',
      width: 8,
      height: 8,
      limits: limits.limitsOf('XenAcceptQueueOverflow'),
      queries: [
        [inNamespace('accept_queue_full:ratio_rate5m'), '{{domain}} {{netns}}: full'],
        [aboveThreeQuarters, '{{domain}} {{netns}}: above three quarters'],
      ],
    }),
    heatmap({
      title: 'Fill of the accept queues',
      description:
        'Sampled fill ratios of the fullest socket of each listener, including bursts between scrapes. Empty queues are left out.',
      unit: 'cps',
      width: 8,
      expr: `sum by (le) (${ofGuest(rate('xen_listener_accept_queue_fill_ratio_bucket', chosen.guest), 'le')}) - on () group_left () sum(${ofGuest(rate('xen_listener_accept_queue_fill_ratio_bucket', chosen.guest, 'le="0.0"'))})`,
    }),
    listenerTable(limits),
  ],
});

const accept: Section = {
  title: '9  accept()',
  panels: [
    graph({
      title: 'Accepts and refused attempts',
      description: 'Connections that entered an accept queue, and attempts that met a full queue.',
      unit: 'cps',
      width: 12,
      queries: [
        [inNamespace('accepts:rate5m'), '{{domain}} {{netns}}: accepts'],
        [inNamespace('listen_overflows:rate5m'), '{{domain}} {{netns}}: met a full queue'],
      ],
    }),
    graph({
      title: 'Wait in the accept queue',
      description:
        'Mean time between the end of the handshake and accept(), over all listeners of a network namespace (Little’s law).',
      unit: 's',
      width: 12,
      queries: [[inNamespace('accept_wait_seconds:mean5m'), '{{domain}} {{netns}}']],
    }),
  ],
};

const netlinkOnly: Section = {
  title: 'SYN queue length and qdiscs: where the exporter can use netlink',
  collapsed: true,
  panels: [
    graph({
      title: 'SYN queue length',
      description:
        'Connections in the handshake, for all listeners. Needs netlink (koffi and the kernel’s tcp_diag); absent where listeners are read from /proc.',
      unit: 'short',
      width: 8,
      queries: [[ofGuest(select('xen_listener_syn_queue_length', chosen.guest)), '{{domain}}']],
    }),
    graph({
      title: 'Packets that wait in qdiscs',
      description:
        'Packets to the guest before netback (host), and from the guest before netfront (guest). Needs netlink in Dom0 and in the guest.',
      unit: 'short',
      width: 8,
      queries: [
        [ofDomain(select('xen_vif_qdisc_backlog_packets', chosen.domain)), '{{domain}}: to the guest'],
        [ofGuest(select('xen_netfront_qdisc_backlog_packets', chosen.guest)), '{{domain}}: from the guest'],
      ],
    }),
    graph({
      title: 'Packets that qdiscs dropped',
      description: 'Counters of the network devices exclude these drops. Needs netlink in Dom0 and in the guest.',
      unit: 'pps',
      width: 8,
      queries: [
        [onHost('vif_qdisc_drops_total'), '{{domain}}: to the guest'],
        [inGuest('netfront_qdisc_drops_total'), '{{domain}}: from the guest'],
      ],
    }),
  ],
};

const runStates: Section = {
  title: 'Run states: where the collector runstate is on, and on XCP-ng and XenServer',
  collapsed: true,
  panels: [
    graph({
      title: 'How long vCPUs wait for a CPU',
      description:
        'Wake delay: from the interrupt that wakes a vCPU until it runs. Preempted wait: from preemption until the vCPU runs again. Needs --collector.runstate in Dom0.',
      unit: 's',
      width: 12,
      queries: [
        [recorded('uuid:xen_wake_delay_seconds:mean_rate5m'), '{{domain}}: wake delay, mean'],
        [recorded('uuid:xen_wake_delay_seconds:p99_rate5m'), '{{domain}}: wake delay, 99 %'],
        [recorded('uuid:xen_preempted_wait_seconds:mean_rate5m'), '{{domain}}: preempted wait, mean'],
        [recorded('uuid:xen_preempted_wait_seconds:p99_rate5m'), '{{domain}}: preempted wait, 99 %'],
      ],
    }),
    graph({
      title: 'Time in each run state',
      description:
        'Share of time that the guest’s vCPUs ran, were blocked or waited for a CPU, from the collector xcp-rrdd: XCP-ng 8.3 and recent XenServer only.',
      unit: 'percentunit',
      max: 1,
      stacked: true,
      width: 12,
      queries: [[onHost('xapi_domain_runstate_seconds_total', ['state']), '{{domain}}: {{state}}']],
    }),
  ],
};

const probes = ({ limitsOf, limitsOfLevel }: AlertLimits): Section => ({
  title: 'Probes: where the collector probes is on',
  collapsed: true,
  panels: [
    graph({
      title: 'Waits for accept()',
      description:
        'From entering the accept queue to accept(): median and 99th percentile. Needs the collector probes in the guest.',
      unit: 's',
      width: 8,
      queries: [
        [record('accept_wait_seconds:p50_rate5m'), '{{domain}}: half'],
        [record('accept_wait_seconds:p99_rate5m'), '{{domain}}: 99 %'],
      ],
    }),
    graph({
      title: 'Grant operations of its threads',
      description:
        'Copies to the guest and unmaps of its pages per second. XenGrantOperationsHigh uses them if they exceed the slots. Needs the collector probes in Dom0.',
      unit: 'ops',
      width: 8,
      limits: limitsOf('XenGrantOperationsHigh'),
      queries: [[record('grant_operations:rate5m'), '{{domain}}']],
    }),
    graph({
      title: 'Events sent to the guest',
      description:
        'Events from Dom0’s drivers, including events sent while one was pending. Needs the collector probes in Dom0.',
      unit: 'cps',
      width: 8,
      limits: limitsOfLevel('XenEventChannelStorm', 'info'),
      queries: [[record('event_channel_sends:rate5m'), '{{domain}}']],
    }),
  ],
});

const board = (limits: AlertLimits): Board => ({
  uid: dashboardUids.guest,
  title: 'Xen / Guest accept path',
  description: 'The path of a SYN to a guest, hop by hop, from the host’s and the guest’s view on one time axis.',
  variables: guestVariables(),
  alertsMarked: chosen.uuid,
  sections: [
    summary(limits),
    uplink,
    vif(limits),
    netback(limits),
    events(limits),
    vcpu(limits),
    netfront(limits),
    synQueue(limits),
    acceptQueue(limits),
    accept,
    netlinkOnly,
    runStates,
    probes(limits),
  ],
});

export const guest = (limits: AlertLimits): Dashboard => dashboard(board(limits));
