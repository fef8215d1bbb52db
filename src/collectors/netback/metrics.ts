import { counter, gauge } from '../../metrics/descriptor.ts';

export const vifLabels = ['domain', 'vif'] as const;
export const queueLabels = [...vifLabels, 'queue'] as const;
export const ringLabels = [...queueLabels, 'ring'] as const;
export const threadLabels = [...queueLabels, 'thread'] as const;
export const domainLabels = ['domain'] as const;

const ioRing = 'Source: debugfs xen-netback/VIF/io_ring_qN (Linux 3.16 and later, root; hidden by kernel lockdown)';
const schedstat =
  'Source: /proc/PID/schedstat of the kernel threads VIF-qN-guest-rx and VIF-qN-dealloc (Linux 3.16 and later)';
const worstNow = 'Of the queue that is worst off.';
const worstOrEach =
  'With --collector.queues=vif (the default) queue is empty, and the value is that of the worst queue at each moment.';
const sampled =
  'Sampled in the background, see xen_exporter_sampler_samples_total; its rate is a share of the time. Goes on when the guest reboots.';

/** The integrals over time that the sampler makes. */
export const pressureMetrics = {
  rxEmpty: counter(
    'xen_netback_rx_empty_seconds_total',
    `Time in which the guest had no free receive buffer in the ring, in seconds: netback can pass it nothing. ${worstOrEach} ${sampled} ${ioRing}.`,
    queueLabels,
  ),
  txWaiting: counter(
    'xen_netback_tx_waiting_seconds_total',
    `Time in which packets of the guest waited in the ring for netback to take them, in seconds. ${worstOrEach} ${sampled} ${ioRing}.`,
    queueLabels,
  ),
  guestQueueFull: counter(
    'xen_netback_guest_queue_full_seconds_total',
    `Time in which netback's queue of packets for the guest was full and took no more, in seconds. ${worstOrEach} ${sampled} ${ioRing}.`,
    queueLabels,
  ),
  rateLimited: counter(
    'xen_netback_rate_limited_seconds_total',
    `Time in which the rate limit of the vif kept packets of the guest waiting, in seconds. ${worstOrEach} ${sampled} ${ioRing}.`,
    queueLabels,
  ),
} as const;

export const metrics = {
  consumed: counter(
    'xen_netback_ring_consumed_slots_total',
    `Slots that netback took from the rings: "tx" those of packets from the guest, "rx" those of buffers that packets for the guest were copied to. An estimate of grant copies (1.0 for each tx slot and 1.3 for each rx slot in a storm of short connections). With --collector.queues=vif (the default) queue is empty, and the value is the sum over the queues. Goes on when the guest reboots. ${ioRing}.`,
    ringLabels,
  ),
  cpu: counter(
    'xen_netback_cpu_seconds_total',
    `CPU time of all of the vif's kernel threads, in seconds. Packets from the guest are taken in softirqs, which no thread shows. Where the kernel counts no stolen time against threads (Debian) what was stolen from them is in it. ${schedstat}.`,
    vifLabels,
  ),
  threadCpu: counter(
    'xen_netback_thread_cpu_seconds_total',
    `CPU time of the vif's kernel threads, in seconds: "guest-rx" copies packets to the guest, "dealloc" gives pages back to it. With --collector.queues=vif (the default) queue is empty, and the value grows by what the busiest queue's thread took between two scrapes. ${schedstat}.`,
    threadLabels,
  ),
  threadWait: counter(
    'xen_netback_thread_runqueue_wait_seconds_total',
    `Time that the vif's kernel threads were ready to run and waited for one of this kernel's CPUs, in seconds. With --collector.queues=vif (the default) queue is empty, and the value grows by what the thread of the worst queue waited between two scrapes. ${schedstat}.`,
    threadLabels,
  ),
  slots: gauge('xen_netback_ring_slots', `Slots of each ring. ${ioRing}.`, vifLabels),
  txInFlight: gauge(
    'xen_netback_tx_in_flight_slots',
    `Slots of packets from the guest that netback has not answered yet. ${worstNow} ${ioRing}.`,
    vifLabels,
  ),
  txUnconsumed: gauge(
    'xen_netback_tx_unconsumed_slots',
    `Slots of packets from the guest that netback has not taken yet. ${worstNow} ${ioRing}.`,
    vifLabels,
  ),
  pending: gauge(
    'xen_netback_pending_requests',
    `Slots of packets from the guest that this kernel holds. ${worstNow} ${ioRing}.`,
    vifLabels,
  ),
  rxFree: gauge(
    'xen_netback_rx_free_slots',
    `Free receive buffers that the guest has in the ring. ${worstNow} ${ioRing}.`,
    vifLabels,
  ),
  deallocQueue: gauge(
    'xen_netback_dealloc_queue_length',
    `Pages of the guest that wait for their thread to give them back. ${worstNow} ${ioRing}.`,
    vifLabels,
  ),
  guestQueueBytes: gauge(
    'xen_netback_guest_queue_bytes',
    `Packets for the guest that wait in netback, in bytes. ${worstNow} ${ioRing}.`,
    vifLabels,
  ),
  guestQueueLimit: gauge(
    'xen_netback_guest_queue_limit_bytes',
    `Bytes of packets for the guest beyond which netback takes no more; the last one may exceed it. ${ioRing}.`,
    vifLabels,
  ),
  invalidRings: counter(
    'xen_netback_invalid_rings_total',
    `Times that a ring was read whose index the guest had set to what cannot be: a broken or hostile frontend. Its gauges are left out then. ${ioRing}.`,
    domainLabels,
  ),
} as const;
