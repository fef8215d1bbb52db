import { greater, guest, guestArgument, hasCap, isTaken, percent, whenClientsAreHarmed, type Alert } from './alert.ts';
import { ofHost, withHost } from '../recording/identity.ts';
import { promql } from '../promql.ts';
import { onOneVcpu } from './guest-causes.ts';

/** Grant operations that Dom0 does for a guest, a second. */
const grantOperations = (): string => greater('uuid:xen_netback_slots:rate5m', 'uuid:xen_grant_operations:rate5m');

/** Hops at their limit, on the host. */
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
          why: 'Share of the time in which a vCPU is ready and does not run; in the lab 0 when idle, 0.65 in the storm on a shared CPU.',
        },
      },
      {
        severity: 'info',
        threshold: {
          value: 0.01,
          why: 'Seconds, as the mean of all wakes, where the collector runstate is on: a vCPU that an interrupt wakes waits so long. In the lab 0.0002 at most when idle; in the storm 0.0006 with credit, which lets those go first that wake with credit left, and 0.006 with credit2.',
        },
        measure: () => promql`
          uuid:xen_wake_delay_seconds:mean_rate5m
            unless ${hasCap}`,
        description: `A vCPU of ${guest} that is woken waits {{ $value | humanizeDuration }} for a physical CPU: so long a packet waits before the guest sees it.`,
        reading: { unit: 'seconds', text: (value) => `a vCPU that is woken waits ${value} for a physical CPU` },
      },
    ],
    measure: () => promql`
      uuid:xen_vcpu_runnable:ratio_rate5m
        unless ${hasCap}`,
    needs: ['xen_domain_vcpu_observations_total|xen_xapi_domain_runstate_seconds_total'],
    for: '10m',
    summary: 'Xen keeps vCPUs of {{ $labels.domain }} waiting for a physical CPU',
    description: `For ${percent} of the time vCPUs of {{ $labels.domain }} that could run did not: their credit is spent, or others on their CPUs have more.`,
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
        threshold: { value: 0.95, why: 'Of the cap; a batch guest at its cap is as planned, so this is no page.' },
      },
      {
        severity: 'warning',
        threshold: {
          value: 0.2,
          why: 'Share of observations in which a vCPU that has a cap is ready and does not run, as of the credit; while clients are harmed: then the plan was too small.',
        },
        measure: () => promql`
          (uuid:xen_vcpu_runnable:ratio_rate5m or on (uuid) uuid:xen_steal:ratio_rate5m)
            and ${hasCap}`,
        only: whenClientsAreHarmed,
        description: `${guest} has a cap of its CPU time, its vCPUs wait for ${percent} of the time in which they could run, and its clients lose connections.`,
        reading: {
          unit: 'percent',
          text: (value) => `vCPUs with a cap wait ${value} of the time in which they could run`,
        },
      },
    ],
    // rate() falls short where the scrapes at both ends of its window were lost.
    measure: (p) => `max_over_time(uuid:xen_domain_cap_used:ratio_rate5m[${p.window(60)}])`,
    // Where no domain has a cap there is none to see.
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
        threshold: { value: 0.2, why: 'Of the time that Dom0 wants to run: netback of every guest waits as long.' },
      },
    ],
    measure: () => promql`
      instance:xen_dom0_steal:ratio_rate5m
        and on (instance) ${isTaken('instance:xen_dom0_steal:rate5m')}`,
    needs: ['xen_cpu_seconds_total'],
    for: '10m',
    summary: 'Dom0 of {{ $labels.host }} waits for physical CPUs, and all its guests with it',
    description: `${percent} of the time in which Dom0 of {{ $labels.host }} wants to run, guests run instead.`,
    reading: { unit: 'percent', text: (value) => `${value} of the CPU time that Dom0 wants is stolen` },
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
          why: 'The kernel delays a backend only after several events for nothing in a row; in the twentieth part of the time packets begin to wait.',
        },
      },
    ],
    measure: () => 'uuid:xen_backend_eoi_delay:ratio_rate5m',
    needs: ['xen_backend_eoi_delay_seconds_total'],
    for: '5m',
    summary: 'A backend of {{ $labels.domain }} is slowed down for spurious events',
    description: `Dom0 left events of {{ $labels.domain }} unanswered for ${percent} of the time, because earlier ones were for nothing.`,
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
        threshold: { value: 0.8, why: 'Of one CPU, by one thread, which cannot use a second.' },
      },
      {
        severity: 'info',
        threshold: {
          value: 0.3,
          why: 'Of all CPUs of Dom0, by the netback threads of all guests, said of the guest that has most of it. A claim of the public write-up; a Dom0 that does nothing else can bear more.',
        },
        measure: () => promql`
          0 * topk by (host) (1,
            uuid:xen_netback_cpu:rate5m
              * on (uuid) group_left (host) uuid:xen_guest_identity:info
          )
            + on (host) group_left () ${withHost('instance:xen_netback_cpu:ratio_rate5m')}`,
        description: `Netback uses ${percent} of all CPUs of Dom0, most of it for ${guest}.`,
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
          why: 'Share of the time without a free receive buffer, or with a full queue for the guest. Not where one vCPU has all its interrupts and no more time, which is the cause of that.',
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
    summary: '{{ $labels.domain }} does not take its packets',
    description: `For ${percent} of the time {{ $labels.domain }} had no free receive buffer, or netback's queue for it was full.`,
    reading: {
      unit: 'percent',
      text: (value) => `the guest has no free receive buffer, or a full queue, ${value} of the time`,
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
        threshold: { value: 0.1, why: 'A bulk upload at its limit is as planned, so this is no page.' },
      },
      {
        severity: 'warning',
        threshold: { value: 0.1, why: 'The same, while clients are harmed: answers to them are among what waits.' },
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
          why: 'A claim of the public write-up, for one guest at 10 Gb/s; slots are nine tenths of the operations in the lab (docs/internals/lab.md). The collector probes counts the operations themselves, as far as they have the name of a guest (docs/internals/probes.md).',
        },
      },
      {
        severity: 'info',
        threshold: {
          value: 0.15,
          why: 'Of all CPUs of Dom0, in grant calls for all guests, where the collector probes is on; said of the guest with most operations. Small hosts have no CPU left long before the number above. Half of the 0.3 at which netback is noted, of which these calls are a part; no host but the lab was measured: 0.09 of its two emulated CPUs while a guest serves pages.',
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
    summary: '{{ $labels.domain }} costs its host very many grant operations',
    description:
      'Dom0 does {{ $value | humanize }} grant operations a second for {{ $labels.domain }}: about one for each slot that netback takes from its rings, or as many as the collector probes counts.',
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
          why: 'A high-water mark: devices that are plugged in later, or more queues, will fail.',
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
    summary: 'The grant table of {{ $labels.domain }} is nearly as large as it may be',
    description: `The grant table of {{ $labels.domain }} has ${percent} of the frames that it may have.`,
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
        threshold: { value: 0.01, why: 'One packet in a hundred: TCP is far below its rate then.' },
      },
      {
        severity: 'critical',
        threshold: {
          value: 0.05,
          why: 'One packet in twenty, toward a guest whose own exporter could not tell of the harm: nobody else would page.',
        },
        measure: () => 'uuid:xen_vif_lost_packets:ratio_rate5m',
        only: 'unless on (uuid) uuid:xen_guest_exporter:last_seen_timestamp_seconds > time() - 120',
        description: `${percent} of the packets for ${guest} were dropped by its vif or the qdisc before it; no exporter in it tells of its clients.`,
      },
    ],
    // What a guest does not take is dropped: then that is the cause.
    measure: (p) => promql`
      uuid:xen_vif_lost_packets:ratio_rate5m
        unless on (uuid) uuid:xen_guest_not_draining:ratio_rate5m > ${p.threshold('XenGuestNotDraining')}`,
    needs: ['xen_vif_receive_packets_total', 'xen_vif_connected'],
    for: '5m',
    summary: 'Packets are lost on their way to {{ $labels.domain }}',
    description: `${percent} of the packets for {{ $labels.domain }} were dropped by its vif or the qdisc before it.`,
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
          why: 'Connected or not: of a guest that is not paused, and whose vif was connected within a day.',
        },
      },
    ],
    measure: () => 'uuid:xen_vif_disconnected:bool',
    needs: ['xen_vif_connected'],
    for: '5m',
    summary: 'A vif of {{ $labels.domain }} is cut off',
    description:
      'Backend and frontend of a vif of {{ $labels.domain }} are not connected: the driver in the guest is gone or has failed, or its ring has stalled for a minute.',
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
          why: 'One packet in a hundred of those for all guests, as of a vif.',
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
