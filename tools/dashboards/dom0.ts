import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardUids } from '../../src/pack/dashboards.ts';
import { alertTable } from './alert-tables.ts';
import { dashboard, type Board, type Section } from './board.ts';
import { toGuest } from './links.ts';
import { graph, stat, table } from './panels.ts';
import { chosen, labelled, most, rate, select, withUuid } from './promql.ts';
import { noneAtAll, type AlertLimits } from './thresholds.ts';
import { hostVariables } from './variables.ts';

const vifsOfGuests = `${chosen.host},domain=~"$guest_domain"`;
/** Growth of a host's counter about its guests, by these labels. */
const ofVifs = (name: string, labels: readonly string[], ...matchers: readonly string[]): string =>
  `sum by (${labels.join(', ')}) (${rate(`xen_${name}`, vifsOfGuests, ...matchers)})`;
const perVif = ['instance', 'domain', 'vif'];
/** Current state of guests' vifs. */
const vifsNow = (name: string): string => `max by (${perVif.join(', ')}) (${select(`xen_${name}`, vifsOfGuests)})`;
const record = (name: string): string => select(`instance:xen_${name}`, chosen.host);

const summary = ({ limitsOf, limitsOfLevel }: AlertLimits): Section => ({
  panels: [
    stat({
      title: 'Steal',
      description: 'Share of wanted Dom0 CPU time in which guests run instead. Coloured where XenDom0Starved fires.',
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      limits: limitsOf('XenDom0Starved'),
      query: [record('dom0_steal:ratio_rate5m'), '{{instance}}'],
    }),
    stat({
      title: 'netback',
      description:
        'CPU time of all guests’ netback threads as a share of all CPUs. Coloured where XenNetbackSaturated fires.',
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      limits: limitsOfLevel('XenNetbackSaturated', 'info'),
      query: [record('netback_cpu:ratio_rate5m'), '{{instance}}'],
    }),
    stat({
      title: 'Lost before the bridge',
      description:
        'Share of packets for guests that network cards, connection tracking and Open vSwitch lose. Coloured where XenUplinkDropping fires.',
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      limits: limitsOf('XenUplinkDropping'),
      query: [record('uplink_lost_packets:ratio_rate5m'), '{{instance}}'],
    }),
    stat({
      title: 'vifs',
      description: 'Vifs of guests.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`count by (instance) (${select('xen_vif_connected', chosen.host)})`, '{{instance}}'],
    }),
    stat({
      title: 'Links down',
      description: 'Vifs whose backend and frontend are not connected.',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`sum by (instance) (1 - ${select('xen_vif_connected', chosen.host)})`, '{{instance}}'],
    }),
    stat({
      title: 'Events of guests',
      description: 'Events per second that Dom0 handles for all guests and devices.',
      unit: 'cps',
      decimals: 0,
      width: 4,
      query: [`sum by (instance) (${rate('xen_backend_events_total', chosen.host)})`, '{{instance}}'],
    }),
  ],
});

const cpus = ({ limitsOf }: AlertLimits): Section => ({
  title: 'Dom0’s own CPUs',
  panels: [
    graph({
      title: 'Steal',
      description: 'Relative to wanted Dom0 CPU time. XenDom0Starved fires above the line.',
      unit: 'percentunit',
      width: 6,
      limits: limitsOf('XenDom0Starved'),
      queries: [[record('dom0_steal:ratio_rate5m'), '{{instance}}']],
    }),
    graph({
      title: 'CPU time by mode',
      description: 'In CPUs without idle, summed over the chosen hosts.',
      unit: 'short',
      decimals: 2,
      stacked: true,
      width: 6,
      queries: [[`sum by (mode) (${rate('xen_cpu_seconds_total', chosen.host, 'mode!~"idle|iowait"')})`, '{{mode}}']],
    }),
    graph({
      title: 'Softirq and irq time by vCPU',
      description: 'Share of each Dom0 vCPU’s time. Softirqs take the packets of guests.',
      unit: 'percentunit',
      width: 6,
      queries: [
        [
          most(`sum by (instance, cpu) (${rate('xen_cpu_seconds_total', chosen.host, 'mode=~"irq|softirq"')})`),
          '{{instance}} vCPU {{cpu}}',
        ],
      ],
    }),
    graph({
      title: 'netback interrupts by vCPU',
      description: 'Event channel interrupts of netback by Dom0 vCPU. If one vCPU handles all, it is a bottleneck.',
      unit: 'cps',
      width: 6,
      queries: [
        [
          most(`sum by (instance, cpu) (${rate('xen_cpu_events_total', chosen.host, 'source="netback"')})`),
          '{{instance}} vCPU {{cpu}}',
        ],
      ],
    }),
  ],
});

const rings = ({ limitsOf }: AlertLimits): Section => ({
  title: 'Rings and threads of each vif',
  panels: [
    table({
      title: 'Vifs',
      description:
        'For each vif: CPU of its busiest thread, share of time without receive buffers or with a full queue for the guest, current ring slots of its worst queue, and whether it is connected. The name links to the guest.',
      width: 24,
      height: 9,
      labels: [
        {
          label: 'domain',
          name: 'Guest',
          link: toGuest,
          width: 120,
        },
        { label: 'vif', name: 'vif', width: 50 },
        { label: 'instance', name: 'Host', width: 150 },
      ],
      hidden: ['uuid'],
      values: [
        {
          name: 'Thread',
          expr: withUuid(
            `max by (${perVif.join(', ')}) (${rate('xen_netback_thread_cpu_seconds_total', vifsOfGuests)})`,
            ...perVif,
          ),
          unit: 'percentunit',
          decimals: 1,
          limits: limitsOf('XenNetbackSaturated'),
        },
        {
          name: 'No buffer',
          expr: `max by (${perVif.join(', ')}) (${rate('xen_netback_rx_empty_seconds_total', vifsOfGuests)})`,
          unit: 'percentunit',
          decimals: 1,
          limits: limitsOf('XenGuestNotDraining'),
        },
        {
          name: 'Queue full',
          expr: `max by (${perVif.join(', ')}) (${rate('xen_netback_guest_queue_full_seconds_total', vifsOfGuests)})`,
          unit: 'percentunit',
          decimals: 1,
          limits: limitsOf('XenGuestNotDraining'),
        },
        { name: 'Ring', expr: vifsNow('netback_ring_slots'), decimals: 0 },
        { name: 'Buffers free', expr: vifsNow('netback_rx_free_slots'), decimals: 0 },
        { name: 'Sent, not taken', expr: vifsNow('netback_tx_unconsumed_slots'), decimals: 0 },
        { name: 'Sent, in flight', expr: vifsNow('netback_tx_in_flight_slots'), decimals: 0 },
        { name: 'To give back', expr: vifsNow('netback_dealloc_queue_length'), decimals: 0 },
        { name: 'Queued', expr: vifsNow('netback_guest_queue_bytes'), unit: 'bytes', decimals: 0 },
        { name: 'Queues', expr: vifsNow('vif_queues'), decimals: 0 },
        {
          name: 'Link',
          expr: `1 - ${vifsNow('vif_connected')}`,
          words: { '0': { text: 'up' }, '1': { text: 'down' } },
          limits: limitsOf('XenVifDisconnected'),
        },
      ],
      sortBy: 'Thread',
    }),
    graph({
      title: 'Busiest threads',
      description:
        'Relative to one CPU, the most that a thread can use. By queue with --collector.queues=each, else the busiest thread of each vif. XenNetbackSaturated fires above the line.',
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenNetbackSaturated'),
      queries: [
        [
          most(ofVifs('netback_thread_cpu_seconds_total', [...perVif, 'queue', 'thread'])),
          '{{domain}} {{vif}} {{queue}} {{thread}}',
        ],
      ],
    }),
    graph({
      title: 'Threads that wait for a CPU of Dom0',
      description: 'Share of time in which a thread was ready but did not run.',
      unit: 'percentunit',
      width: 8,
      queries: [
        [
          most(ofVifs('netback_thread_runqueue_wait_seconds_total', [...perVif, 'queue', 'thread'])),
          '{{domain}} {{vif}} {{queue}} {{thread}}',
        ],
      ],
    }),
    graph({
      title: 'Ring slots',
      description:
        'Slots that netback takes, each about one grant copy. XenGrantOperationsHigh fires for a guest above the line.',
      unit: 'ops',
      width: 8,
      limits: limitsOf('XenGrantOperationsHigh'),
      queries: [
        [
          most(ofVifs('netback_ring_consumed_slots_total', [...perVif, 'queue', 'ring'])),
          '{{domain}} {{vif}} {{queue}} {{ring}}',
        ],
      ],
    }),
  ],
});

const events = ({ thresholdOf, limitsOf, limitsOfLevel }: AlertLimits): Section => ({
  title: 'Events',
  panels: [
    graph({
      title: 'Events of guests',
      description: 'Events that Dom0 handles for all devices. XenEventChannelStorm fires for a guest above the line.',
      unit: 'cps',
      width: 8,
      limits: limitsOfLevel('XenEventChannelStorm', 'info'),
      queries: [[most(ofVifs('backend_events_total', ['instance', 'domain'])), '{{domain}}']],
    }),
    graph({
      title: 'Spurious events',
      description: 'Events without work for the backend. Several in a row delay the backend.',
      unit: 'cps',
      width: 8,
      queries: [
        [most(ofVifs('backend_spurious_events_total', ['instance', 'domain', 'class'])), '{{domain}} {{class}}'],
      ],
    }),
    graph({
      title: 'Delayed events',
      description: `Share of time in which a backend delays events because earlier ones were spurious. XenSpuriousEvents fires above ${thresholdOf('XenSpuriousEvents')}. Linux 5.12 and later.`,
      unit: 'percentunit',
      width: 8,
      limits: limitsOf('XenSpuriousEvents'),
      queries: [
        [most(ofVifs('backend_eoi_delay_seconds_total', ['instance', 'domain', 'class'])), '{{domain}} {{class}}'],
      ],
    }),
  ],
});

const drops: Section = {
  title: 'Drops',
  panels: [
    graph({
      title: 'Lost toward guests',
      description:
        'Refused: netback’s queue for the guest was full, or the guest was not connected. Expired: the packets waited too long for receive buffers. Qdisc: dropped before netback.',
      unit: 'pps',
      width: 8,
      queries: [
        [
          most(
            `(${ofVifs('vif_receive_dropped_packets_total', [...perVif, 'reason'])} or ${labelled(ofVifs('vif_qdisc_drops_total', perVif), 'reason', 'qdisc')})`,
          ),
          '{{domain}} {{vif}}: {{reason}}',
        ],
      ],
    }),
    graph({
      title: 'Lost before the bridge',
      description: 'Packets that network cards, connection tracking and Open vSwitch lose.',
      unit: 'pps',
      width: 8,
      queries: [
        [
          most(
            `(sum by (instance, device) (${rate('xen_uplink_receive_missed_total', chosen.host)}) or ${labelled(
              `sum by (instance) (${rate('xen_conntrack_drops_total', chosen.host)})`,
              'device',
              'connection tracking',
            )} or ${labelled(`sum by (instance) (${rate('xen_ovs_lost_packets_total', chosen.host)})`, 'device', 'Open vSwitch')})`,
          ),
          '{{instance}} {{device}}',
        ],
      ],
    }),
    graph({
      title: 'Dropped or deferred by Dom0’s vCPUs',
      description:
        'Packets dropped because a vCPU’s backlog was full, and times that a vCPU deferred packets because its budget was used up.',
      unit: 'cps',
      width: 8,
      queries: [
        [`sum by (instance) (${rate('xen_softnet_dropped_packets_total', chosen.host)})`, '{{instance}}: backlog full'],
        [
          `sum by (instance) (${rate('xen_softnet_times_squeezed_total', chosen.host)})`,
          '{{instance}}: budget used up',
        ],
      ],
    }),
  ],
};

const traffic: Section = {
  title: 'Traffic',
  panels: [
    graph({
      title: 'Packets of guests',
      description: 'Both directions, for the guests with the highest values.',
      unit: 'pps',
      width: 12,
      queries: [
        [
          most(
            `(${ofVifs('vif_receive_packets_total', ['instance', 'domain'])} + ${ofVifs('vif_transmit_packets_total', ['instance', 'domain'])})`,
          ),
          '{{domain}}',
        ],
      ],
    }),
    graph({
      title: 'Requests of block devices',
      description: 'Reads and writes of the busiest guests. They also need Dom0’s CPUs.',
      unit: 'iops',
      width: 12,
      queries: [
        [
          most(
            `(${ofVifs('vbd_read_requests_total', ['instance', 'domain'])} + ${ofVifs('vbd_write_requests_total', ['instance', 'domain'])})`,
          ),
          '{{domain}}',
        ],
      ],
    }),
  ],
};

const firewall: Section = {
  title: 'Connection tracking: hosts with a firewall',
  collapsed: true,
  panels: [
    graph({
      title: 'Tracked connections',
      description: 'Tracked connections and their limit. Needs nf_conntrack in Dom0’s kernel.',
      unit: 'short',
      width: 24,
      queries: [
        [`max by (instance) (${select('xen_conntrack_entries', chosen.host)})`, '{{instance}}'],
        [`max by (instance) (${select('xen_conntrack_entries_limit', chosen.host)})`, '{{instance}}: limit'],
      ],
    }),
  ],
};

const probes: Section = {
  title: 'Probes: where the collector probes is on',
  collapsed: true,
  panels: [
    graph({
      title: 'Grant operations',
      description: 'Copies, maps and unmaps per second for all guests and devices. Needs the collector probes in Dom0.',
      unit: 'ops',
      width: 8,
      queries: [[record('grant_operations:rate5m'), '{{instance}}']],
    }),
    graph({
      title: 'Grant calls',
      description:
        'Mean number of CPUs in grant calls, and their share of Dom0’s CPU time. Needs the collector probes in Dom0.',
      unit: 'percentunit',
      width: 8,
      queries: [
        [record('grant_calls:ratio_rate5m'), '{{instance}}: of one CPU'],
        [record('grant_calls_of_cpu:ratio_rate5m'), '{{instance}}: of the time used'],
      ],
    }),
    graph({
      title: 'Events sent',
      description: 'Events per second from Dom0’s drivers to all domains. Needs the collector probes in Dom0.',
      unit: 'cps',
      width: 8,
      queries: [[record('event_channel_sends:rate5m'), '{{instance}}']],
    }),
  ],
};

const board = (limits: AlertLimits): Board => ({
  uid: dashboardUids.host,
  title: 'Xen / Dom0 and netback',
  description: 'Resources that all guests of a host share: Dom0’s CPUs, netback’s rings and threads, events and drops.',
  variables: hostVariables(),
  alertsMarked: 'host=~"$host"',
  sections: [
    summary(limits),
    { title: 'Alerts', panels: [alertTable(24, 6, 'host=~"$host"')] },
    cpus(limits),
    rings(limits),
    events(limits),
    drops,
    traffic,
    firewall,
    probes,
  ],
});

export const dom0 = (limits: AlertLimits): Dashboard => dashboard(board(limits));
