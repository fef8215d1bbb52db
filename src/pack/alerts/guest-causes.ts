import {
  greater,
  guest,
  guestCommand,
  hasCap,
  inNamespace,
  isTaken,
  percent,
  whenClientsAreHarmed,
  type Alert,
} from './alert.ts';
import { promql } from '../promql.ts';

/** CPU time in interrupts of a guest that has several vCPUs, one of which handles all packets. */
export const onOneVcpu = (): string => promql`
  uuid:xen_interrupt_cpu:rate5m
    and on (uuid) uuid:xen_packets_on_one_vcpu:ratio_rate5m > 0.9
    and on (uuid) uuid:xen_vcpus:count > 1`;

/** Hops at their limit, in the guest. */
export const causesInGuest: readonly Alert[] = [
  {
    name: 'XenListenBacklogTooSmall',
    kind: 'cause',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 1,
          why: 'Times its size that a full queue would need to hold what is accepted in a second. A client that is refused tries again after one second (RFC 6298): to wait in a longer queue takes less. A queue that holds more than a second is full for another reason.',
        },
      },
    ],
    measure: () => promql`
      uuid_netns:xen_accepts:rate5m
        / (uuid_netns:xen_full_accept_queue_limit:min > 0)`,
    needs: [
      'xen_listener_accept_queue_full_seconds_total',
      'xen_listener_accept_queue_limit',
      'xen_tcp_passive_opens_total',
    ],
    for: '5m',
    summary: `The listen backlog of a server in ${guest}${inNamespace} is too small`,
    description: `An accept queue of ${guest}${inNamespace} is full now and then, although its server accepts: it would have to be {{ $value | printf "%.1f" }} times as long to hold the connections of one second.`,
    reading: {
      unit: 'number',
      text: (value) => `the accept queue needs ${value} times its limit to hold the connections of one second`,
    },
    command: guestCommand('ss -ltnp'),
  },
  {
    name: 'XenAcceptLoopStalled',
    kind: 'cause',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.5,
          why: 'Half full for a minute while no connection leaves the queue. A full queue then scores 2, above vCPUs that wait now and then: a server that is only short of CPU time accepts something in a minute.',
        },
      },
    ],
    measure: () => 'uuid_netns:xen_stalled_accept_queue_fill:min',
    needs: ['xen_listener_accept_queue_max_fill_ratio', 'xen_listener_accept_queue_dequeued_total'],
    for: '5m',
    summary: `A server in ${guest}${inNamespace} accepts nothing at all`,
    description: `An accept queue of ${guest}${inNamespace} has been ${percent} full for a minute at least, and no connection leaves it.`,
    reading: { unit: 'percent', text: (value) => `the accept queue is ${value} full, and no connection leaves it` },
    command: guestCommand('ss -ltnp'),
  },
  {
    name: 'XenSynQueueOverflow',
    kind: 'cause',
    hop: 'SYN queue',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.1,
          why: 'One in ten seconds. While an accept queue is full the SYN queue is too, for its limit is the same backlog: then that is the cause.',
        },
      },
    ],
    measure: (p) => promql`
      uuid_netns:xen_syn_queue_overflows:rate5m
        unless on (uuid, netns) uuid_netns:xen_accept_queue_full:ratio_rate5m > ${p.threshold('XenAcceptQueueOverflow')}`,
    needs: ['xen_tcp_syn_queue_full_cookies_total'],
    for: '5m',
    summary: `The SYN queue of ${guest}${inNamespace} overflows`,
    description: `The SYN queue of ${guest}${inNamespace} overflows {{ $value | printf "%.1f" }} times a second while its accept queues are not full: a SYN flood, or clients that are far away.`,
    reading: { unit: 'number', text: (value) => `the SYN queue overflows ${value} times a second` },
    command: guestCommand('ss -tn state syn-recv'),
  },
  {
    name: 'XenFastOpenQueueOverflow',
    kind: 'cause',
    hop: 'SYN queue',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.5,
          why: 'Of the clients that send data in their SYN, one in ten seconds at least: each of them waits for a handshake that it was to be spared. While an accept queue is full, that is the cause.',
        },
      },
    ],
    measure: (p) => promql`
      uuid_netns:xen_fastopen_overflow:ratio_rate5m
        unless on (uuid, netns) uuid_netns:xen_accept_queue_full:ratio_rate5m > ${p.threshold('XenAcceptQueueOverflow')}`,
    needs: ['xen_tcp_fastopen_listen_overflow_total', 'xen_tcp_fastopen_passive_total'],
    for: '5m',
    summary: `The Fast Open queue of ${guest}${inNamespace} overflows`,
    description: `${percent} of the clients that send ${guest}${inNamespace} data in their SYN meet a full Fast Open queue, and wait for an ordinary handshake: a flood, or a queue that is too short.`,
    reading: { unit: 'percent', text: (value) => `${value} of Fast Open clients meet a full queue` },
    command: guestCommand('nstat -az TcpExtTCPFastOpenPassive TcpExtTCPFastOpenListenOverflow'),
  },
  {
    name: 'XenFastOpenWithoutCookies',
    kind: 'cause',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.95,
          why: 'Of the connections that are accepted, while clients are harmed: nearly all that fills the accept queue may come from forged addresses.',
        },
        only: whenClientsAreHarmed,
      },
      {
        severity: 'info',
        threshold: {
          value: 0.01,
          why: 'Of the connections that are accepted: it is in use, which is right only in a network whose clients are trusted.',
        },
        description: `${guest} accepted ${percent} of its connections with data in the SYN and without a cookie. The addresses of such clients may be forged.`,
      },
    ],
    measure: () => 'uuid_netns:xen_fastopen_without_cookies:ratio_rate5m',
    needs: ['xen_tcp_fastopen_passive_total', 'xen_tcp_fastopen_without_cookies', 'xen_tcp_passive_opens_total'],
    for: '5m',
    summary: `${guest} accepts TCP Fast Open without cookies`,
    description: `${guest} accepted ${percent} of its connections with data in the SYN and without a cookie, so their addresses may be forged, and its clients lose connections.`,
    reading: {
      unit: 'percent',
      text: (value) => `${value} of accepted connections came with data in the SYN and no cookie`,
    },
    command: 'guest# sysctl net.ipv4.tcp_fastopen',
  },
  {
    name: 'XenVcpuStarved',
    kind: 'cause',
    hop: 'vCPU',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.3,
          why: 'Of the time that the guest wants to run; in the lab a storm on a shared CPU takes 0.6, idle guests see 0.01.',
        },
      },
    ],
    measure: () => promql`
      uuid:xen_steal:ratio_rate5m
        and on (uuid) ${isTaken('uuid:xen_steal:rate5m')}
        unless ${hasCap}`,
    needs: ['xen_cpu_seconds_total'],
    for: '5m',
    summary: 'The vCPUs of {{ $labels.domain }} wait for a physical CPU',
    description: `${percent} of the time in which {{ $labels.domain }} wants to run, other domains run instead.`,
    reading: { unit: 'percent', text: (value) => `${value} of wanted CPU time is stolen` },
    command: 'dom0# xl vcpu-list',
  },
  {
    name: 'XenGuestCpuSaturated',
    kind: 'cause',
    hop: 'vCPU',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.9,
          why: 'Of the last minute on all vCPUs, without niced processes, while clients are harmed: a busy guest that serves its clients is as planned. In the lab a guest under a load that it serves wants 0.4.',
        },
        only: whenClientsAreHarmed,
      },
    ],
    // Not where CPU time is stolen or capped, nor where Xen saw the guest run shorter than its kernel believes, which then does not count what is stolen.
    measure: (p) => promql`
      uuid:xen_recent_wanted_cpu:ratio_rate
        unless on (uuid) uuid:xen_domain_cpu:rate5m < 0.8 * uuid:xen_task_cpu:rate5m
        unless on (uuid) uuid:xen_steal:ratio_rate5m > ${p.threshold('XenVcpuStarved')}
        unless on (uuid) uuid:xen_vcpu_runnable:ratio_rate5m > ${p.threshold('XenCreditExhaustion')}
        unless on (uuid) uuid:xen_domain_cap_used:ratio_rate5m > ${p.threshold('XenDomainCapReached')}`,
    needs: ['xen_cpu_seconds_total'],
    for: '5m',
    summary: `${guest} uses all of its CPU time itself`,
    description: `For ${percent} of the last minute the vCPUs of ${guest} had something to run, its CPU time is neither stolen nor capped, and its clients lose connections.`,
    reading: { unit: 'percent', text: (value) => `the guest itself wants ${value} of its vCPU time` },
    command: "guest# top -b -d 3 -n 2 -w 100 | grep -A 12 '^%Cpu' | tail -n 13",
  },
  {
    name: 'XenVifInterruptsOnOneVcpu',
    kind: 'cause',
    hop: 'netfront',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.7,
          why: 'Of one vCPU, in interrupts of all vCPUs; that one vCPU handles all packets is the rule in idle guests and harms nobody.',
        },
      },
    ],
    measure: onOneVcpu,
    needs: ['xen_cpu_seconds_total', 'xen_softnet_processed_packets_total'],
    for: '5m',
    keepFiringFor: '5m',
    summary: 'One vCPU of {{ $labels.domain }} handles all network interrupts, and has no more time',
    description: `Interrupts take ${percent} of the time of one vCPU of {{ $labels.domain }}, and over nine tenths of the packets are handled by one.`,
    reading: { unit: 'percent', text: (value) => `interrupts take ${value} of the one vCPU that handles all packets` },
    command: 'guest# grep -e CPU -e vif /proc/interrupts',
  },
  {
    name: 'XenEventChannelStorm',
    kind: 'cause',
    hop: 'event channel',
    about: 'guest',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.3,
          why: 'Of the time of all vCPUs, in interrupts of which nearly each brings one packet only, or which are 20 000 a second for each vCPU: an idle guest also has an interrupt for each packet, but no time goes there.',
        },
      },
      {
        severity: 'info',
        threshold: {
          value: 100_000,
          why: 'Events from the guest to Dom0, a second, or from Dom0 to the guest where the collector probes is on. A claim of the public write-up: 800 000 a second with eight guests on 64 cores. Not reached on an emulated host; the limit above is relative, and holds on any host.',
        },
        measure: () => greater('uuid:xen_backend_events:rate5m', 'uuid:xen_event_channel_sends:rate5m'),
        description: `Dom0 handles {{ $value | humanize }} events of ${guest} a second, or sends it so many.`,
        reading: { unit: 'number', text: (value) => `Dom0 handles or sends ${value} events of the guest a second` },
      },
    ],
    measure: () => promql`
      uuid:xen_interrupt_cpu:rate5m
        / uuid:xen_vcpus:count
        and on (uuid) (
          uuid:xen_netfront_interrupts:rate5m > 0.7 * uuid:xen_netfront_received_packets:rate5m
            or on (uuid)
          uuid:xen_netfront_interrupts:rate5m > 20000 * uuid:xen_vcpus:count
        )`,
    needs: ['xen_cpu_seconds_total', 'xen_netfront_interrupts_total'],
    for: '5m',
    keepFiringFor: '5m',
    summary: '{{ $labels.domain }} drowns in network interrupts',
    description: `The vCPUs of {{ $labels.domain }} spend ${percent} of their time in interrupts, and hardly any of those of the network brings more than one packet.`,
    reading: { unit: 'percent', text: (value) => `interrupts take ${value} of vCPU time` },
    command: 'guest# grep -e CPU -e vif /proc/interrupts',
  },
];
