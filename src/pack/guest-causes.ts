import { percent, type Alert } from './alert.ts';

/** Hops at their limit, in the guest. */
export const causesInGuest: readonly Alert[] = [
  {
    name: 'XenListenBacklogTooSmall',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: { value: 0.01, why: 'As the overflow: of a queue with a limit under 512 whose server does accept.' },
    measure: () => 'uuid:xen_small_accept_queue_full:ratio_rate5m',
    for: '5m',
    summary: 'The listen backlog of a server in {{ $labels.domain }} is too small',
    description: `An accept queue with a limit under 512 in {{ $labels.domain }} was full for ${percent} of the time, although its server accepts.`,
  },
  {
    name: 'XenAcceptLoopStalled',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.9,
      why: 'Full all the time, without a single connection that leaves the queue: also the slowest server takes one in five minutes.',
    },
    measure: () => 'uuid:xen_stalled_accept_queue_full:ratio_rate5m',
    for: '5m',
    summary: 'A server in {{ $labels.domain }} accepts nothing at all',
    description: `An accept queue of {{ $labels.domain }} was full for ${percent} of the last 5 minutes, and no connection left it.`,
  },
  {
    name: 'XenSynQueueOverflow',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.1,
      why: 'One in ten seconds. While an accept queue is full the SYN queue is too, for its limit is the same backlog: then that is the cause.',
    },
    measure: () =>
      'uuid:xen_syn_queue_overflows:rate5m unless on (uuid) uuid:xen_accept_queue_full:ratio_rate5m > 0.01',
    for: '5m',
    summary: 'The SYN queue of {{ $labels.domain }} overflows',
    description:
      'The SYN queue of {{ $labels.domain }} overflows {{ $value | humanize }} times a second while its accept queues are not full: a SYN flood, or clients that are far away.',
  },
  {
    name: 'XenVcpuStarved',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.3,
      why: 'Of the time that the guest wants to run; in the lab a storm on a shared CPU takes 0.6, idle guests see 0.01.',
    },
    measure: () => 'uuid:xen_steal:ratio_rate5m and on (uuid) uuid:xen_cpu_wanted:ratio_rate5m > 0.05',
    for: '5m',
    summary: 'The vCPUs of {{ $labels.domain }} wait for a physical CPU',
    description: `${percent} of the time in which {{ $labels.domain }} wants to run, other domains run instead.`,
  },
  {
    name: 'XenVifInterruptsOnOneVcpu',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.7,
      why: 'Of one vCPU in interrupts; that all interrupts are on one vCPU is the rule in idle guests and harms nobody.',
    },
    measure: () =>
      'uuid:xen_interrupt_time_of_busiest_vcpu:ratio_rate5m and on (uuid) uuid:xen_netfront_events_on_one_vcpu:ratio_rate5m > 0.9 and on (uuid) uuid:xen_vcpus:count > 1',
    for: '5m',
    summary: 'One vCPU of {{ $labels.domain }} handles all network interrupts, and has no more time',
    description: `One vCPU of {{ $labels.domain }} spends ${percent} of its time on interrupts, and over nine tenths of the network's come to it.`,
  },
  {
    name: 'XenEventChannelStorm',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 20_000,
      why: 'Interrupts per second and vCPU: at some 10 us each a fifth of the vCPU. To be settled on hardware: an emulated host does not reach it.',
    },
    measure: () => 'uuid:xen_netfront_interrupts_per_vcpu:rate5m',
    for: '5m',
    summary: '{{ $labels.domain }} drowns in network interrupts',
    description:
      'Each vCPU of {{ $labels.domain }} gets {{ $value | humanize }} interrupts of its network device a second.',
  },
];
