import { ofHost, type Promql } from './promql.ts';

/** A number at which an alert fires, and where it comes from. */
export interface Threshold {
  value: number;
  /** Why this number; a claim is named as one. */
  why: string;
}

/** What an alert is: harm that clients feel, a hop at its limit, or the exporters themselves. */
export type AlertKind = 'symptom' | 'cause' | 'meta';

/** An alert of the pack. */
export interface Alert {
  /** `Xen...`, 40 characters at most; its runbook has the same name. */
  name: string;
  kind: AlertKind;
  severity: 'critical' | 'warning' | 'info';
  /**
   * What `measure` tells of: a guest (by uuid), a host (by job and instance: all of its guests suffer), or an exporter (by job, instance and
   * what else its labels are).
   */
  about: 'guest' | 'host' | 'exporter';
  threshold: Threshold;
  /** PromQL of the measured value wherever the alert makes sense; it fires where the value is above the threshold. */
  measure: (p: Promql) => string;
  for: string;
  keepFiringFor?: string;
  /** One line; templates of Prometheus may be used. */
  summary: string;
  /** With the measured value. */
  description: string;
}

const percent = '{{ $value | humanizePercentage }}';

/** What clients feel. */
const symptoms: readonly Alert[] = [
  {
    name: 'XenAcceptQueueOverflow',
    kind: 'symptom',
    severity: 'critical',
    about: 'guest',
    threshold: {
      value: 0.01,
      why: 'A queue that is full for 3 s of 5 min, with overflows: full alone harms nobody, and a burst of milliseconds is no page.',
    },
    measure: () => 'uuid:xen_accept_queue_full:ratio_rate5m and on (uuid) uuid:xen_listen_overflows:rate5m > 0',
    for: '2m',
    keepFiringFor: '5m',
    summary: '{{ $labels.domain }} refuses connections: an accept queue overflows',
    description: `An accept queue of {{ $labels.domain }} was full for ${percent} of the last 5 minutes, and connections were dropped.`,
  },
  {
    name: 'XenAcceptQueueNearlyFull',
    kind: 'symptom',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.2,
      why: 'One sample in five above three quarters: the next burst will be refused. Backlogs of 8 and less are left out: there one or two connections are as much.',
    },
    measure: () =>
      'uuid:xen_accept_queue_above_three_quarters:ratio_rate5m unless on (uuid) uuid:xen_listen_overflows:rate5m > 0',
    for: '10m',
    summary: '{{ $labels.domain }} will soon refuse connections: an accept queue is nearly full',
    description: `An accept queue of {{ $labels.domain }} was over three quarters full in ${percent} of all samples of the last 5 minutes.`,
  },
  {
    name: 'XenAcceptThroughputCollapse',
    kind: 'symptom',
    severity: 'critical',
    about: 'guest',
    threshold: {
      value: 0.5,
      why: 'The public write-up of this problem measured accept() at less than half of the physical machine.',
    },
    measure: () =>
      '(1 - uuid:xen_accepts:rate5m / (uuid:xen_accepts:rate5m offset 1h > 1)) and on (uuid) (uuid:xen_listen_overflows:rate5m > 0 or uuid:xen_syn_retransmits:rate5m > 0.1 or uuid:xen_vif_lost_packets:ratio_rate5m > 0)',
    for: '5m',
    keepFiringFor: '5m',
    summary: '{{ $labels.domain }} accepts far fewer connections than an hour ago, and loses some',
    description: `{{ $labels.domain }} accepts ${percent} fewer connections than an hour ago, while connections or packets are lost: nobody asks for less, less gets through.`,
  },
];

/** Hops at their limit, in the guest. */
const causesInGuest: readonly Alert[] = [
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

/** Hops at their limit, on the host. */
const causesOnHost: readonly Alert[] = [
  {
    name: 'XenCreditExhaustion',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.2,
      why: 'Share of observations in which a vCPU is ready and does not run; in the lab 0 when idle, 0.65 in the storm on a shared CPU.',
    },
    measure: () => 'uuid:xen_vcpu_runnable:ratio_rate5m unless on (uuid) uuid:xen_domain_cap_used:ratio_rate5m > 0.95',
    for: '10m',
    summary: 'Xen keeps vCPUs of {{ $labels.domain }} waiting for a physical CPU',
    description: `In ${percent} of all looks a vCPU of {{ $labels.domain }} that could run did not: its credit is spent, or others on its CPUs have more.`,
  },
  {
    name: 'XenDomainCapReached',
    kind: 'cause',
    severity: 'info',
    about: 'guest',
    threshold: { value: 0.95, why: 'Of the cap; a batch guest at its cap is as planned, so this is no page.' },
    measure: () => 'uuid:xen_domain_cap_used:ratio_rate5m',
    for: '10m',
    summary: '{{ $labels.domain }} is at the cap of its CPU time',
    description: `{{ $labels.domain }} uses ${percent} of the CPU time that its cap allows.`,
  },
  {
    name: 'XenDom0Starved',
    kind: 'cause',
    severity: 'warning',
    about: 'host',
    threshold: { value: 0.2, why: 'Of the time that Dom0 wants to run: netback of every guest waits as long.' },
    measure: () => 'instance:xen_dom0_steal:ratio_rate5m',
    for: '10m',
    summary: 'Dom0 of {{ $labels.host }} waits for physical CPUs, and all its guests with it',
    description: `${percent} of the time in which Dom0 of {{ $labels.host }} wants to run, guests run instead.`,
  },
  {
    name: 'XenSpuriousEvents',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.001,
      why: 'Any lasting delay: the kernel delays a backend only after several events for nothing in a row.',
    },
    measure: () => 'uuid:xen_backend_eoi_delay:ratio_rate5m',
    for: '5m',
    summary: 'A backend of {{ $labels.domain }} is slowed down for spurious events',
    description: `Dom0 left events of {{ $labels.domain }} unanswered for ${percent} of the time, because earlier ones were for nothing.`,
  },
  {
    name: 'XenNetbackSaturated',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: { value: 0.8, why: 'Of one CPU, by one thread, which cannot use a second.' },
    measure: () =>
      `uuid:xen_netback_thread_cpu:ratio_rate5m unless on (uuid) ${ofHost('instance:xen_dom0_steal:ratio_rate5m > 0.2')}`,
    for: '10m',
    summary: 'A netback thread of {{ $labels.domain }} is at its limit',
    description: `A netback thread of {{ $labels.domain }} uses ${percent} of the one CPU that it can use.`,
  },
  {
    name: 'XenGuestNotDraining',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.2,
      why: 'Share of the time without a free receive buffer, or with a full queue for the guest.',
    },
    measure: () => 'uuid:xen_guest_not_draining:ratio_rate5m',
    for: '5m',
    summary: '{{ $labels.domain }} does not take its packets',
    description: `For ${percent} of the time {{ $labels.domain }} had no free receive buffer, or netback's queue for it was full.`,
  },
  {
    name: 'XenNetbackRateLimited',
    kind: 'cause',
    severity: 'info',
    about: 'guest',
    threshold: { value: 0.1, why: 'A bulk upload at its limit is as planned, so this is no page.' },
    measure: () => 'uuid:xen_netback_rate_limited:ratio_rate5m',
    for: '10m',
    summary: 'The rate limit of its vif holds {{ $labels.domain }} back',
    description: `The rate limit of a vif kept packets of {{ $labels.domain }} waiting for ${percent} of the time.`,
  },
  {
    name: 'XenGrantOperationsHigh',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 500_000,
      why: 'A claim of the public write-up, for one guest at 10 Gb/s; slots are nine tenths of the operations in the lab (docs/lab.md).',
    },
    measure: () => 'uuid:xen_netback_slots:rate5m',
    for: '5m',
    summary: '{{ $labels.domain }} costs its host very many grant operations',
    description:
      'Netback takes {{ $value | humanize }} slots a second from the rings of {{ $labels.domain }}, each about one grant copy.',
  },
  {
    name: 'XenGrantFramesNearLimit',
    kind: 'cause',
    severity: 'info',
    about: 'guest',
    threshold: { value: 0.9, why: 'A high-water mark: devices that are plugged in later, or more queues, will fail.' },
    measure: () => 'uuid:xen_grant_frames:ratio',
    for: '10m',
    summary: 'The grant table of {{ $labels.domain }} is nearly as large as it may be',
    description: `The grant table of {{ $labels.domain }} has ${percent} of the frames that it may have.`,
  },
  {
    name: 'XenVifDropping',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: { value: 0.01, why: 'One packet in a hundred: TCP is far below its rate then.' },
    measure: () => 'uuid:xen_vif_lost_packets:ratio_rate5m',
    for: '5m',
    summary: 'Packets are lost on their way to {{ $labels.domain }}',
    description: `${percent} of the packets for {{ $labels.domain }} were dropped by its vif or the qdisc before it.`,
  },
  {
    name: 'XenVifDisconnected',
    kind: 'cause',
    severity: 'warning',
    about: 'guest',
    threshold: {
      value: 0.5,
      why: 'Connected or not: of a guest that is not paused, and whose vif was connected within a day.',
    },
    measure: () => 'uuid:xen_vif_disconnected:bool',
    for: '5m',
    summary: 'A vif of {{ $labels.domain }} is cut off',
    description:
      'Backend and frontend of a vif of {{ $labels.domain }} are not connected: the driver in the guest is gone or has failed, or its ring has stalled for a minute.',
  },
  {
    name: 'XenUplinkDropping',
    kind: 'cause',
    severity: 'warning',
    about: 'host',
    threshold: {
      value: 1,
      why: 'A second: a lone packet now and then is no cause; every one is lost before any guest could have taken it.',
    },
    measure: () => 'instance:xen_uplink_lost_packets:rate5m',
    for: '5m',
    summary: '{{ $labels.host }} loses packets before they reach a guest',
    description:
      'The network cards, connection tracking or Open vSwitch of {{ $labels.host }} lose {{ $value | humanize }} packets a second.',
  },
];

/** The exporters themselves: what is not seen cannot be said. */
const meta: readonly Alert[] = [
  {
    name: 'XenExporterDown',
    kind: 'meta',
    severity: 'warning',
    about: 'exporter',
    threshold: { value: 0.5, why: 'Down or not.' },
    measure: (p) => `1 - ${p.metric('up')}`,
    for: '5m',
    summary: 'The exporter on {{ $labels.instance }} cannot be scraped',
    description:
      'Prometheus cannot scrape {{ $labels.instance }} for 5 minutes: this machine, and if it is a Dom0 its guests, are not watched.',
  },
  {
    name: 'XenExporterCollectorFailing',
    kind: 'meta',
    severity: 'warning',
    about: 'exporter',
    threshold: {
      value: 0,
      why: 'Failing or not; one that does not exist on a machine is not available, and not failing.',
    },
    measure: (p) =>
      `(1 - ${p.metric('xen_exporter_collector_success')}) and on (job, instance, collector) ${p.metric('xen_exporter_collector_available')} == 1`,
    for: '15m',
    summary: 'The collector {{ $labels.collector }} fails on {{ $labels.instance }}',
    description:
      'The collector {{ $labels.collector }} on {{ $labels.instance }} fails for 15 minutes; its log says why. Alerts that need it are blind.',
  },
  {
    name: 'XenGuestExporterMissing',
    kind: 'meta',
    severity: 'info',
    about: 'guest',
    threshold: {
      value: 0,
      why: 'A guest that had an exporter within a day, and has none, while its host still runs it.',
    },
    measure: () =>
      '(max by (uuid) (last_over_time(instance:xen_guest_uuid:info[1d])) unless on (uuid) instance:xen_guest_uuid:info) and on (uuid) max by (uuid) (instance_domain:xen_domain_uuid:info)',
    for: '15m',
    summary: 'The exporter in {{ $labels.domain }} is gone',
    description:
      '{{ $labels.domain }} runs, and had an exporter within the last day: now it has none, and what its clients feel is not seen.',
  },
];

/** The whole pack, in the order in which a person reads it. */
export const alerts: readonly Alert[] = [...symptoms, ...causesInGuest, ...causesOnHost, ...meta];
