import { guest, guestCommand, hasCap, inNamespace, percent, type Alert } from './alert.ts';

/** Hops at their limit, in the guest. */
export const causesInGuest: readonly Alert[] = [
  {
    name: 'XenListenBacklogTooSmall',
    kind: 'cause',
    severity: 'warning',
    hop: 'accept queue',
    about: 'guest',
    threshold: {
      value: 1,
      why: 'Times its size that a full queue would need to hold what is accepted in a second. A client that is refused tries again after one second (RFC 6298): to wait in a longer queue takes less. A queue that holds more than a second is full for another reason.',
    },
    measure: () => 'uuid_netns:xen_accepts:rate5m / (uuid_netns:xen_full_accept_queue_limit:min > 0)',
    needs: [
      'xen_listener_accept_queue_full_seconds_total',
      'xen_listener_accept_queue_limit',
      'xen_tcp_passive_opens_total',
    ],
    for: '5m',
    summary: `The listen backlog of a server in ${guest}${inNamespace} is too small`,
    description: `An accept queue of ${guest}${inNamespace} is full now and then, although its server accepts: it would have to be {{ $value | printf "%.1f" }} times as long to hold the connections of one second.`,
    command: guestCommand('ss -ltnp'),
  },
  {
    name: 'XenAcceptLoopStalled',
    kind: 'cause',
    severity: 'warning',
    hop: 'accept queue',
    about: 'guest',
    threshold: {
      value: 0.9,
      why: 'Full for a minute, without a single connection that leaves the queue.',
    },
    measure: () => 'uuid_netns:xen_stalled_accept_queue_fill:min1m',
    needs: ['xen_listener_accept_queue_max_fill_ratio', 'xen_listener_accept_queue_dequeued_total'],
    for: '5m',
    summary: `A server in ${guest}${inNamespace} accepts nothing at all`,
    description: `An accept queue of ${guest}${inNamespace} has been ${percent} full for a minute at least, and no connection leaves it.`,
    command: guestCommand('ss -ltnp'),
  },
  {
    name: 'XenSynQueueOverflow',
    kind: 'cause',
    severity: 'warning',
    hop: 'SYN queue',
    about: 'guest',
    threshold: {
      value: 0.1,
      why: 'One in ten seconds. While an accept queue is full the SYN queue is too, for its limit is the same backlog: then that is the cause.',
    },
    measure: () =>
      'uuid_netns:xen_syn_queue_overflows:rate5m unless on (uuid, netns) uuid_netns:xen_accept_queue_full:ratio_rate5m > 0.01',
    needs: ['xen_tcp_syn_queue_full_cookies_total'],
    for: '5m',
    summary: `The SYN queue of ${guest}${inNamespace} overflows`,
    description: `The SYN queue of ${guest}${inNamespace} overflows {{ $value | printf "%.1f" }} times a second while its accept queues are not full: a SYN flood, or clients that are far away.`,
    command: guestCommand('ss -tn state syn-recv'),
  },
  {
    name: 'XenVcpuStarved',
    kind: 'cause',
    severity: 'warning',
    hop: 'vCPU',
    about: 'guest',
    threshold: {
      value: 0.3,
      why: 'Of the time that the guest wants to run; in the lab a storm on a shared CPU takes 0.6, idle guests see 0.01.',
    },
    // A nearly idle guest's share is of little, and of less where Xen does not say what interrupts its ticks have missed: while xl hung, the lab saw
    // 0.12 of a CPU taken from a guest as 0.4 of what it wanted.
    measure: () => `uuid:xen_steal:ratio_rate5m and on (uuid) uuid:xen_steal:rate5m > 0.15 unless ${hasCap}`,
    needs: ['xen_cpu_seconds_total'],
    for: '5m',
    summary: 'The vCPUs of {{ $labels.domain }} wait for a physical CPU',
    description: `${percent} of the time in which {{ $labels.domain }} wants to run, other domains run instead.`,
    command: 'dom0# xl vcpu-list',
  },
  {
    name: 'XenVifInterruptsOnOneVcpu',
    kind: 'cause',
    severity: 'warning',
    hop: 'netfront',
    about: 'guest',
    threshold: {
      value: 0.7,
      why: 'Of one vCPU, in interrupts of all vCPUs; that one vCPU handles all packets is the rule in idle guests and harms nobody.',
    },
    measure: () => 'uuid:xen_interrupt_cpu_on_one_vcpu:rate5m',
    needs: ['xen_cpu_seconds_total', 'xen_softnet_processed_packets_total'],
    for: '5m',
    keepFiringFor: '5m',
    summary: 'One vCPU of {{ $labels.domain }} handles all network interrupts, and has no more time',
    description: `Interrupts take ${percent} of the time of one vCPU of {{ $labels.domain }}, and over nine tenths of the packets are handled by one.`,
    command: 'guest# grep -e CPU -e vif /proc/interrupts',
  },
  {
    name: 'XenEventChannelStorm',
    kind: 'cause',
    severity: 'warning',
    hop: 'event channel',
    about: 'guest',
    threshold: {
      value: 0.3,
      why: 'Of the time of all vCPUs, in interrupts of which nearly each brings one packet only, or which are 20 000 a second for each vCPU: an idle guest also has an interrupt for each packet, but no time goes there.',
    },
    measure: () =>
      'uuid:xen_interrupt_time:ratio_rate5m and on (uuid) (uuid:xen_netfront_interrupts_per_packet:ratio_rate5m > 0.7 or on (uuid) uuid:xen_netfront_interrupts_per_vcpu:rate5m > 20000)',
    needs: ['xen_cpu_seconds_total', 'xen_netfront_interrupts_total'],
    for: '5m',
    keepFiringFor: '5m',
    summary: '{{ $labels.domain }} drowns in network interrupts',
    description: `The vCPUs of {{ $labels.domain }} spend ${percent} of their time in interrupts, and hardly any of those of the network brings more than one packet.`,
    command: 'guest# grep -e CPU -e vif /proc/interrupts',
    also: [
      {
        severity: 'info',
        threshold: {
          value: 100_000,
          why: 'Events from the guest to Dom0, a second, or from Dom0 to the guest where the collector trace is on. A claim of the public write-up: 800 000 a second with eight guests on 64 cores. Not reached on an emulated host.',
        },
        measure: () =>
          'uuid:xen_backend_events:rate5m unless on (uuid) uuid:xen_event_channel_sends:rate5m > uuid:xen_backend_events:rate5m or on (uuid) uuid:xen_event_channel_sends:rate5m',
        description: `Dom0 handles {{ $value | humanize }} events of ${guest} a second, or sends it so many.`,
      },
    ],
  },
];
