import { greater, guest, guestArgument, hasCap, isTaken, percent, whenClientsAreHarmed, type Alert } from './alert.ts';
import { ofHost, withHost } from '../recording/identity.ts';
import { promql } from '../promql.ts';
import { onOneVcpu } from './guest-causes.ts';

/** Grant operations per second that Dom0 does for a guest. */
const grantOperations = (): string => greater('uuid:xen_netback_slots:rate5m', 'uuid:xen_grant_operations:rate5m');

/** Hops on the host. */
export const causesOnHost: readonly Alert[] = [
  {
    name: 'XenCreditExhaustion',
    kind: 'cause',
    hop: 'vCPU',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.2,
          why: 'Ratio of time in which a vCPU is ready but does not run. In the lab it is 0 when idle and 0.65 in the storm on a shared CPU.',
        },
      },
      {
        severity: 'info',
        threshold: {
          value: 0.01,
          why: 'Mean wait in seconds of a vCPU that an interrupt wakes, if the collector runstate is on. In the lab it is at most 0.0002 when idle. In the storm it is 0.006 with credit2, and 0.0006 with credit, which prefers vCPUs that wake with credit left.',
        },
        measure: () => promql`
          uuid:xen_wake_delay_seconds:mean_rate5m
            unless ${hasCap}`,
        description: `A woken vCPU of ${guest} waits {{ $value | humanizeDuration }} for a physical CPU. Each packet waits as long before the guest sees it.`,
        reading: { unit: 'seconds', text: (value) => `a woken vCPU waits ${value} for a physical CPU` },
      },
    ],
    measure: () => promql`
      uuid:xen_vcpu_runnable:ratio_rate5m
        unless ${hasCap}`,
    needs: ['xen_domain_vcpu_observations_total|xen_xapi_domain_runstate_seconds_total'],
    for: '10m',
    summary: 'Xen keeps vCPUs of {{ $labels.domain }} waiting for a physical CPU',
    description: `vCPUs of {{ $labels.domain }} were ready but did not run ${percent} of the time. Their credit is spent, or other vCPUs on their CPUs have more.`,
    reading: { unit: 'percent', text: (value) => `vCPUs are ready but wait ${value} of the time` },
    command: 'dom0# xl vcpu-list',
  },
  {
    name: 'XenDomainCapReached',
    kind: 'cause',
    hop: 'vCPU',
    about: 'guest',
    levels: [
      {
        severity: 'info',
        threshold: {
          value: 0.95,
          why: 'Ratio of the cap. A batch guest at its cap works as planned, so this does not page.',
        },
      },
      {
        severity: 'warning',
        threshold: {
          value: 0.2,
          why: 'Ratio of observations in which a capped vCPU is ready but does not run, as for the credit, while clients are harmed. The cap is too small for the load.',
        },
        measure: () => promql`
          (uuid:xen_vcpu_runnable:ratio_rate5m or on (uuid) uuid:xen_steal:ratio_rate5m)
            and ${hasCap}`,
        only: whenClientsAreHarmed,
        description: `The CPU time of ${guest} is capped. Its vCPUs wait ${percent} of the time in which they could run, and its clients lose connections.`,
        reading: {
          unit: 'percent',
          text: (value) => `capped vCPUs wait ${value} of the time in which they could run`,
        },
      },
    ],
    // rate() is too low if the scrapes at both ends of its window were lost.
    measure: (p) => `max_over_time(uuid:xen_domain_cap_used:ratio_rate5m[${p.window(60)}])`,
    // Without a capped domain no cap metric exists.
    needs: ['xen_domain_cpu_seconds_total'],
    for: '10m',
    summary: '{{ $labels.domain }} is at the cap of its CPU time',
    description: `{{ $labels.domain }} uses ${percent} of the CPU time that its cap allows.`,
    reading: { unit: 'percent', text: (value) => `the guest uses ${value} of its CPU cap` },
    command: 'dom0# xl sched-credit; xl sched-credit2',
  },
  {
    name: 'XenDom0Starved',
    kind: 'cause',
    hop: 'Dom0 vCPU',
    about: 'host',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0.2, why: 'Ratio of wanted CPU time of Dom0. The netback of every guest waits as long.' },
      },
    ],
    measure: () => promql`
      instance:xen_dom0_steal:ratio_rate5m
        and on (instance) ${isTaken('instance:xen_dom0_steal:rate5m')}`,
    needs: ['xen_cpu_seconds_total'],
    for: '10m',
    summary: 'Dom0 of {{ $labels.host }} waits for physical CPUs, and so do all its guests',
    description: `Dom0 of {{ $labels.host }} does not get ${percent} of its wanted CPU time, because guests run instead.`,
    reading: { unit: 'percent', text: (value) => `${value} of the wanted CPU time of Dom0 is stolen` },
    command: 'dom0# xl vcpu-list',
  },
  {
    name: 'XenSpuriousEvents',
    kind: 'cause',
    hop: 'event channel',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.05,
          why: 'The kernel delays a backend only after several spurious events in a row. At 5 % of the time packets begin to wait.',
        },
      },
    ],
    measure: () => 'uuid:xen_backend_eoi_delay:ratio_rate5m',
    needs: ['xen_backend_eoi_delay_seconds_total'],
    for: '5m',
    summary: 'A backend of {{ $labels.domain }} is slowed down for spurious events',
    description: `Dom0 delayed events of {{ $labels.domain }} ${percent} of the time, because earlier events were spurious.`,
    reading: { unit: 'percent', text: (value) => `Dom0 delays events of the guest ${value} of the time` },
    command: `dom0# grep . /sys/bus/xen-backend/devices/*-$(xl domid ${guestArgument})-*/xenbus/*events`,
  },
  {
    name: 'XenNetbackSaturated',
    kind: 'cause',
    hop: 'netback',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0.8, why: 'Ratio of one CPU. One thread cannot use a second CPU.' },
      },
      {
        severity: 'info',
        threshold: {
          value: 0.3,
          why: 'Ratio of all CPUs of Dom0, used by the netback threads of all guests and attributed to the guest with the largest part. The public write-up claims this number. A Dom0 that does nothing else tolerates more.',
        },
        measure: () => promql`
          0 * topk by (host) (1,
            uuid:xen_netback_cpu:rate5m
              * on (uuid) group_left (host) uuid:xen_guest_identity:info
          )
            + on (host) group_left () ${withHost('instance:xen_netback_cpu:ratio_rate5m')}`,
        description: `Netback uses ${percent} of all CPUs of Dom0, most of this for ${guest}.`,
        reading: { unit: 'percent', text: (value) => `netback uses ${value} of all CPUs of Dom0` },
      },
    ],
    measure: (p) => promql`
      uuid:xen_netback_thread_cpu:ratio_rate5m
        unless on (uuid) ${ofHost(`instance:xen_dom0_steal:ratio_rate5m > ${p.threshold('XenDom0Starved')}`)}`,
    needs: ['xen_netback_thread_cpu_seconds_total'],
    for: '10m',
    summary: 'A netback thread of {{ $labels.domain }} is at its limit',
    description: `A netback thread of {{ $labels.domain }} uses ${percent} of the one CPU that it can use.`,
    reading: { unit: 'percent', text: (value) => `a netback thread uses ${value} of one CPU` },
    command: 'dom0# top -b -H -w 150 -d 3 -n 2 | grep -e COMMAND -e vif',
  },
  {
    name: 'XenGuestNotDraining',
    kind: 'cause',
    hop: 'netfront',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.2,
          why: 'Ratio of time without a free receive buffer or with a full queue for the guest. It does not fire if one vCPU handles all interrupts and has no time left, because that is the cause.',
        },
      },
    ],
    measure: (p) => promql`
      uuid:xen_guest_not_draining:ratio_rate5m
        unless on (uuid) (
          ${onOneVcpu()}
        ) > ${p.threshold('XenVifInterruptsOnOneVcpu')}`,
    needs: ['xen_netback_guest_queue_full_seconds_total'],
    for: '5m',
    summary: '{{ $labels.domain }} does not drain its receive queue',
    description: `{{ $labels.domain }} had no free receive buffer, or its netback queue was full, ${percent} of the time.`,
    reading: {
      unit: 'percent',
      text: (value) => `the guest has no free receive buffer or a full queue ${value} of the time`,
    },
    command: `dom0# grep . /sys/kernel/debug/xen-netback/vif$(xl domid ${guestArgument}).*/io_ring_q*`,
  },
  {
    name: 'XenNetbackRateLimited',
    kind: 'cause',
    hop: 'netback',
    about: 'guest',
    levels: [
      {
        severity: 'info',
        threshold: { value: 0.1, why: 'A bulk upload at its limit works as planned, so this does not page.' },
      },
      {
        severity: 'warning',
        threshold: { value: 0.1, why: 'The same while clients are harmed. Answers to clients wait too.' },
        only: whenClientsAreHarmed,
        description: `The rate limit of a vif kept packets of ${guest} waiting for ${percent} of the time, and its clients lose connections.`,
      },
    ],
    measure: () => 'uuid:xen_netback_rate_limited:ratio_rate5m',
    needs: ['xen_netback_rate_limited_seconds_total'],
    for: '10m',
    summary: 'The rate limit of its vif holds {{ $labels.domain }} back',
    description: `The rate limit of a vif kept packets of {{ $labels.domain }} waiting for ${percent} of the time.`,
    reading: { unit: 'percent', text: (value) => `the rate limit of a vif holds packets back ${value} of the time` },
    command: `dom0# xenstore-ls /local/domain/0/backend/vif/$(xl domid ${guestArgument}) | grep -e '^[0-9]' -e rate`,
  },
  {
    name: 'XenGrantOperationsHigh',
    kind: 'cause',
    hop: 'grant table',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 500_000,
          why: 'The public write-up claims this number for one guest at 10 Gb/s. In the lab slots are nine tenths of the operations (docs/internals/lab.md). The collector probes counts the operations themselves if it can attribute them to a guest (docs/internals/probes.md).',
        },
      },
      {
        severity: 'info',
        threshold: {
          value: 0.15,
          why: 'Ratio of all CPUs of Dom0 in grant calls for all guests, attributed to the guest with the most operations. Needs the collector probes. Small hosts run out of CPU long before they reach the number above. It is half of the 0.3 limit for netback, of which these calls are a part. Measured only in the lab: 0.09 of its two emulated CPUs while a guest serves pages.',
        },
        measure: () => promql`
          0 * topk by (host) (1,
            (
              ${grantOperations()}
            )
              * on (uuid) group_left (host) uuid:xen_guest_identity:info
          )
            + on (host) group_left () ${withHost('instance:xen_grant_calls_of_all_cpus:ratio_rate5m')}`,
        description: `Dom0 spends ${percent} of all its CPU time in grant calls, most of them for ${guest}.`,
        reading: { unit: 'percent', text: (value) => `Dom0 spends ${value} of all its CPU time in grant calls` },
      },
    ],
    measure: grantOperations,
    needs: ['xen_netback_ring_consumed_slots_total'],
    for: '5m',
    summary: '{{ $labels.domain }} causes very many grant operations',
    description:
      'Dom0 does {{ $value | humanize }} grant operations a second for {{ $labels.domain }}: about one for each slot that netback takes from its rings, or the count of the collector probes.',
    reading: { unit: 'number', text: (value) => `Dom0 does ${value} grant operations a second for the guest` },
    command: `dom0# ip -s link show vif$(xl domid ${guestArgument}).0`,
  },
  {
    name: 'XenGrantFramesNearLimit',
    kind: 'cause',
    hop: 'grant table',
    about: 'guest',
    levels: [
      {
        severity: 'info',
        threshold: {
          value: 0.9,
          why: 'Devices that are plugged in later, or more queues, will fail. The value is a high-water mark.',
        },
      },
      {
        severity: 'warning',
        threshold: { value: 0.99, why: 'No frame is left: the next device or queue will not connect.' },
      },
    ],
    measure: () => 'uuid:xen_grant_frames:ratio',
    needs: ['xen_domain_grant_frames', 'xen_domain_grant_frames_limit'],
    for: '10m',
    summary: 'The grant table of {{ $labels.domain }} is nearly full',
    description: `The grant table of {{ $labels.domain }} uses ${percent} of its maximum of frames.`,
    reading: { unit: 'percent', text: (value) => `the grant table uses ${value} of its frames` },
    command: `dom0# /usr/lib/xen-*/bin/xen-diag gnttab_query_size $(xl domid ${guestArgument})`,
  },
  {
    name: 'XenVifDropping',
    kind: 'cause',
    hop: 'vif',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0.01, why: 'One packet in a hundred. This loss already slows TCP severely.' },
      },
      {
        severity: 'critical',
        threshold: {
          value: 0.05,
          why: 'One packet in twenty, to a guest without a working exporter. No other alert would page.',
        },
        measure: () => 'uuid:xen_vif_lost_packets:ratio_rate5m',
        only: 'unless on (uuid) uuid:xen_guest_exporter:last_seen_timestamp_seconds > time() - 120',
        description: `${percent} of the packets for ${guest} were dropped by its vif or the qdisc in front of it. No exporter in the guest reports on its clients.`,
      },
    ],
    // Packets that a guest does not drain are dropped, so a guest that does not drain is the cause.
    measure: (p) => promql`
      uuid:xen_vif_lost_packets:ratio_rate5m
        unless on (uuid) uuid:xen_guest_not_draining:ratio_rate5m > ${p.threshold('XenGuestNotDraining')}`,
    needs: ['xen_vif_receive_packets_total', 'xen_vif_connected'],
    for: '5m',
    summary: 'Packets are lost on their way to {{ $labels.domain }}',
    description: `${percent} of the packets for {{ $labels.domain }} were dropped by its vif or the qdisc in front of it.`,
    reading: { unit: 'percent', text: (value) => `${value} of the packets for the guest are dropped at its vif` },
    command: `dom0# ip -s link show vif$(xl domid ${guestArgument}).0`,
  },
  {
    name: 'XenVifDisconnected',
    kind: 'cause',
    hop: 'vif',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.5,
          why: 'The vif is connected or it is not, if the guest is not paused and its vif was connected within a day.',
        },
      },
    ],
    measure: () => 'uuid:xen_vif_disconnected:bool',
    needs: ['xen_vif_connected'],
    for: '5m',
    summary: 'A vif of {{ $labels.domain }} is disconnected',
    description:
      'Backend and frontend of a vif of {{ $labels.domain }} are not connected. The driver in the guest is gone or has failed, or its ring has stalled for a minute.',
    reading: { text: () => 'backend and frontend of a vif are not connected' },
    command: `dom0# xl network-list ${guestArgument}`,
  },
  {
    name: 'XenUplinkDropping',
    kind: 'cause',
    hop: 'uplink',
    about: 'host',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.01,
          why: 'One packet in a hundred of those for all guests, as for a vif.',
        },
      },
    ],
    measure: () => 'instance:xen_uplink_lost_packets:ratio_rate5m',
    needs: ['xen_uplink_receive_missed_total', 'xen_vif_receive_packets_total'],
    for: '5m',
    summary: '{{ $labels.host }} loses packets before they reach a guest',
    description:
      'The network cards, connection tracking or Open vSwitch of {{ $labels.host }} lose {{ $value | humanizePercentage }} of the packets for its guests.',
    reading: { unit: 'percent', text: (value) => `the host loses ${value} of the packets for its guests` },
    command: 'dom0# ip -s -s link',
  },
];
