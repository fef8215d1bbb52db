import { bounds } from '../../metrics/bounds.ts';
import { counter, gauge, total } from '../../metrics/descriptor.ts';

export const vifLabels = ['domain', 'vif'] as const;
export const queueLabels = [...vifLabels, 'queue'] as const;
export const ringLabels = [...queueLabels, 'ring'] as const;
export const threadLabels = [...queueLabels, 'thread'] as const;
export const domainLabels = ['domain'] as const;

const ioRing = {
  source: 'debugfs xen-netback/VIF/io_ring_qN',
  versions: 'Linux 3.16 and later, root',
  notes: 'hidden by kernel lockdown',
} as const;
const schedstat = {
  source: '/proc/PID/schedstat of the kernel threads VIF-qN-guest-rx and VIF-qN-dealloc',
  versions: 'Linux 3.16 and later',
} as const;
const worstNow = 'Value of the worst queue.';
const worstOrEach =
  'With --collector.queues=vif (the default) queue is empty, and the value is that of the worst queue at each moment.';
const sampled =
  'Sampled in the background, see xen_exporter_sampler_samples_total; its rate is a share of time. Continues when the guest reboots.';

/** The integrals over time that the sampler makes. */
export const pressureMetrics = {
  rxEmpty: counter('xen_netback_rx_empty_seconds_total', {
    meaning: `Time without a free receive buffer of the guest in the ring, in seconds: netback can pass it nothing. ${worstOrEach} ${sampled}`,
    labels: queueLabels,
    ...ioRing,
    bounds: bounds.seconds,
  }),
  txWaiting: counter('xen_netback_tx_waiting_seconds_total', {
    meaning: `Time during which packets of the guest waited in the ring for netback, in seconds. ${worstOrEach} ${sampled}`,
    labels: queueLabels,
    ...ioRing,
    bounds: bounds.seconds,
  }),
  guestQueueFull: counter('xen_netback_guest_queue_full_seconds_total', {
    meaning: `Time during which netback's queue of packets for the guest was full, in seconds. ${worstOrEach} ${sampled}`,
    labels: queueLabels,
    ...ioRing,
    bounds: bounds.seconds,
  }),
  rateLimited: counter('xen_netback_rate_limited_seconds_total', {
    meaning: `Time during which the rate limit of the vif delayed packets of the guest, in seconds. ${worstOrEach} ${sampled}`,
    labels: queueLabels,
    ...ioRing,
    bounds: bounds.seconds,
  }),
} as const;

export const metrics = {
  consumed: counter('xen_netback_ring_consumed_slots_total', {
    meaning:
      'Slots that netback took from the rings: "tx" slots hold packets from the guest, "rx" slots buffers that packets for the guest were copied to. An estimate of grant copies (1.0 for each tx slot and 1.3 for each rx slot in a storm of short connections). With --collector.queues=vif (the default) queue is empty, and the value is the sum over the queues. Continues when the guest reboots.',
    labels: ringLabels,
    ...ioRing,
    wraps: 'u32',
    bounds: bounds.queuePackets,
  }),
  cpu: counter('xen_netback_cpu_seconds_total', {
    meaning:
      "CPU time of all of the vif's kernel threads, in seconds. Packets from the guest are taken in softirqs, which no thread shows. Stolen time is included if the kernel does not subtract it from threads (Debian).",
    labels: vifLabels,
    ...schedstat,
    wraps: 'u64',
    bounds: bounds.threadNanoseconds,
  }),
  threadCpu: counter('xen_netback_thread_cpu_seconds_total', {
    meaning: `CPU time of the vif's kernel threads, in seconds: "guest-rx" copies packets to the guest, "dealloc" gives pages back to it. With --collector.queues=vif (the default) queue is empty, and the value grows by what the busiest queue's thread took between two scrapes.`,
    labels: threadLabels,
    ...schedstat,
    wraps: 'u64',
    bounds: bounds.threadNanoseconds,
  }),
  threadWait: counter('xen_netback_thread_runqueue_wait_seconds_total', {
    meaning:
      "Time that the vif's kernel threads were ready to run and waited for one of this kernel's CPUs, in seconds. With --collector.queues=vif (the default) queue is empty, and the value grows by what the thread of the worst queue waited between two scrapes.",
    labels: threadLabels,
    ...schedstat,
    wraps: 'u64',
    bounds: bounds.threadWaitNanoseconds,
  }),
  slots: gauge('xen_netback_ring_slots', {
    meaning: 'Slots of each ring.',
    labels: vifLabels,
    ...ioRing,
  }),
  txInFlight: gauge('xen_netback_tx_in_flight_slots', {
    meaning: `Slots of packets from the guest that netback has not answered yet. ${worstNow}`,
    labels: vifLabels,
    ...ioRing,
  }),
  txUnconsumed: gauge('xen_netback_tx_unconsumed_slots', {
    meaning: `Slots of packets from the guest that netback has not taken yet. ${worstNow}`,
    labels: vifLabels,
    ...ioRing,
  }),
  pending: gauge('xen_netback_pending_requests', {
    meaning: `Slots of packets from the guest that this kernel holds. ${worstNow}`,
    labels: vifLabels,
    ...ioRing,
  }),
  rxFree: gauge('xen_netback_rx_free_slots', {
    meaning: `Free receive buffers that the guest has in the ring. ${worstNow}`,
    labels: vifLabels,
    ...ioRing,
  }),
  deallocQueue: gauge('xen_netback_dealloc_queue_length', {
    meaning: `Pages of the guest that wait for their thread to give them back. ${worstNow}`,
    labels: vifLabels,
    ...ioRing,
  }),
  guestQueueBytes: gauge('xen_netback_guest_queue_bytes', {
    meaning: `Packets for the guest that wait in netback, in bytes. ${worstNow}`,
    labels: vifLabels,
    ...ioRing,
  }),
  guestQueueLimit: gauge('xen_netback_guest_queue_limit_bytes', {
    meaning: 'Limit of bytes that netback queues for the guest. The last packet may exceed it.',
    labels: vifLabels,
    ...ioRing,
  }),
  invalidRings: total('xen_netback_invalid_rings_total', {
    meaning:
      'Readings of a ring whose index the guest had set to an impossible value: a broken or hostile frontend. Its gauges are left out then.',
    labels: domainLabels,
    ...ioRing,
  }),
} as const;
