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

/** CPU time in interrupts, in guests with several vCPUs of which one handles all packets. */
export const onOneVcpu = (): string => promql`
  uuid:xen_interrupt_cpu:rate5m
    and on (uuid) uuid:xen_packets_on_one_vcpu:ratio_rate5m > 0.9
    and on (uuid) uuid:xen_vcpus:count > 1`;

/** Hops in the guest. */
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
          why: 'How many times its limit a full queue needs to hold one second of accepts. A refused client retries after one second (RFC 6298), so waiting in a longer queue is faster. A queue that already holds more than a second is full for another reason.',
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
    description: `An accept queue of ${guest}${inNamespace} is full at times although its server accepts. It must be {{ $value | printf "%.1f" }} times as long to hold the connections of one second.`,
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
          why: 'The queue is half full for a minute and no connection leaves it. A full queue scores 2, more than vCPUs that wait at times. A server that merely lacks CPU time accepts at least one connection in a minute.',
        },
      },
    ],
    measure: () => 'uuid_netns:xen_stalled_accept_queue_fill:min',
    needs: ['xen_listener_accept_queue_max_fill_ratio', 'xen_listener_accept_queue_dequeued_total'],
    for: '5m',
    summary: `A server in ${guest}${inNamespace} accepts no connections`,
    description: `An accept queue of ${guest}${inNamespace} has been ${percent} full for at least a minute, and no connection leaves it.`,
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
          why: 'One in ten seconds. A full accept queue also fills the SYN queue, because both limits are the same backlog. Then the accept queue is the cause.',
        },
      },
    ],
    measure: (p) => promql`
      uuid_netns:xen_syn_queue_overflows:rate5m
        unless on (uuid, netns) uuid_netns:xen_accept_queue_full:ratio_rate5m > ${p.threshold('XenAcceptQueueOverflow')}`,
    needs: ['xen_tcp_syn_queue_full_cookies_total'],
    for: '5m',
    summary: `The SYN queue of ${guest}${inNamespace} overflows`,
    description: `The SYN queue of ${guest}${inNamespace} overflows {{ $value | printf "%.1f" }} times a second while its accept queues are not full. The reason is a SYN flood or distant clients.`,
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
          why: 'Ratio of clients that send data in their SYN, if at least one in ten seconds meets a full queue. Each of them waits for a handshake that Fast Open would have saved. While an accept queue is full, the accept queue is the cause.',
        },
      },
    ],
    measure: (p) => promql`
      uuid_netns:xen_fastopen_overflow:ratio_rate5m
        unless on (uuid, netns) uuid_netns:xen_accept_queue_full:ratio_rate5m > ${p.threshold('XenAcceptQueueOverflow')}`,
    needs: ['xen_tcp_fastopen_listen_overflow_total', 'xen_tcp_fastopen_passive_total'],
    for: '5m',
    summary: `The Fast Open queue of ${guest}${inNamespace} overflows`,
    description: `${percent} of the clients that send ${guest}${inNamespace} data in their SYN meet a full Fast Open queue and wait for an ordinary handshake. The reason is a flood or a queue that is too short.`,
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
          why: 'Ratio of accepted connections, while clients are harmed. Nearly all connections in the accept queue may come from forged addresses.',
        },
        only: whenClientsAreHarmed,
      },
      {
        severity: 'info',
        threshold: {
          value: 0.01,
          why: 'Ratio of accepted connections. The feature is in use, which is right only if all clients of the network are trusted.',
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
          why: 'Ratio of wanted CPU time. In the lab a storm on a shared CPU takes 0.6, and idle guests see 0.01.',
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
    description: `{{ $labels.domain }} does not get ${percent} of its wanted CPU time, because other domains run instead.`,
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
          why: 'Ratio of the last minute on all vCPUs, without niced processes, while clients are harmed. A busy guest that serves its clients works as planned. In the lab a guest that serves its load wants 0.4.',
        },
        only: whenClientsAreHarmed,
      },
    ],
    // Excludes stolen and capped time. Also excludes guests that Xen saw run less than their kernel believes: such a
    // kernel does not count steal.
    measure: (p) => promql`
      uuid:xen_recent_wanted_cpu:ratio_rate
        unless on (uuid) uuid:xen_domain_cpu:rate5m < 0.8 * uuid:xen_task_cpu:rate5m
        unless on (uuid) uuid:xen_steal:ratio_rate5m > ${p.threshold('XenVcpuStarved')}
        unless on (uuid) uuid:xen_vcpu_runnable:ratio_rate5m > ${p.threshold('XenCreditExhaustion')}
        unless on (uuid) uuid:xen_domain_cap_used:ratio_rate5m > ${p.threshold('XenDomainCapReached')}`,
    needs: ['xen_cpu_seconds_total'],
    for: '5m',
    summary: `${guest} uses all of its CPU time itself`,
    description: `The vCPUs of ${guest} had work for ${percent} of the last minute. Its CPU time is neither stolen nor capped, and its clients lose connections.`,
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
          why: 'Interrupt time of all vCPUs, in units of one vCPU. In idle guests one vCPU usually handles all packets, which is harmless.',
        },
      },
    ],
    measure: onOneVcpu,
    needs: ['xen_cpu_seconds_total', 'xen_softnet_processed_packets_total'],
    for: '5m',
    keepFiringFor: '5m',
    summary: 'One vCPU of {{ $labels.domain }} handles all network interrupts and has no time left',
    description: `Interrupts take ${percent} of the time of one vCPU of {{ $labels.domain }}, and one vCPU handles more than nine tenths of the packets.`,
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
          why: 'Ratio of all vCPU time in interrupts, if nearly every interrupt brings only one packet or there are 20 000 a second for each vCPU. An idle guest also has an interrupt for each packet, but they take no time.',
        },
      },
      {
        severity: 'info',
        threshold: {
          value: 100_000,
          why: 'Events per second from the guest to Dom0, or from Dom0 to the guest if the collector probes is on. The public write-up claims 800 000 a second with eight guests on 64 cores. An emulated host does not reach this. The other limit is relative and holds on any host.',
        },
        measure: () => greater('uuid:xen_backend_events:rate5m', 'uuid:xen_event_channel_sends:rate5m'),
        description: `Dom0 handles {{ $value | humanize }} events of ${guest} a second, or sends it as many.`,
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
    summary: '{{ $labels.domain }} is overloaded by network interrupts',
    description: `The vCPUs of {{ $labels.domain }} spend ${percent} of their time in interrupts, and hardly any network interrupt brings more than one packet.`,
    reading: { unit: 'percent', text: (value) => `interrupts take ${value} of vCPU time` },
    command: 'guest# grep -e CPU -e vif /proc/interrupts',
  },
];
