import { histogram, total } from '../../metrics/descriptor.ts';

const window =
  'Counted while the probes were armed: divide its rate by that of xen_exporter_probe_armed_seconds_total.';
const ofGrants = {
  source: 'kprobes at gnttab_batch_copy, gnttab_map_refs and gnttab_unmap_refs',
  versions: 'checked with Linux 6.1',
} as const;
const ofAccept = {
  source: 'kprobes at inet_csk_complete_hashdance and inet_csk_reqsk_queue_add, and the return of inet_csk_accept',
  versions: 'checked with Linux 6.1',
} as const;
const profile = 'kprobe_profile of tracefs';

const grantLabels = ['domain', 'operation'] as const;
const eventLabels = ['domain', 'source', 'vif', 'queue'] as const;
const whose = 'With --collector.queues=vif (the default) queue is empty, and the value is the sum over the queues.';

const powersOfTwo = (first: number, last: number): string[] => {
  const exponents = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return [...exponents.map((exponent) => String(2 ** exponent / 1e9)), '+Inf'];
};

/** Upper bounds of the duration of a grant call, in seconds: 2^8 ns to 2^30 ns, the kernel's buckets. */
export const callBounds = powersOfTwo(8, 30);
/** Upper bounds of a wait for accept(), in seconds: 2^10 ns to 2^37 ns, two minutes. */
export const waitBounds = powersOfTwo(10, 37);

export const metrics = {
  operations: total('xen_grant_operations_total', {
    meaning: `Grant operations of this kernel on behalf of its guests: copy, map, unmap. Operations of netback's threads carry the name of the guest: all copies to it, and all unmaps of its pages. Operations in softirqs (copies and maps from guests) or for disks have an empty domain. ${window}`,
    labels: grantLabels,
    ...ofGrants,
  }),
  calls: total('xen_grant_calls_total', {
    meaning: `Calls with the operations of xen_grant_operations_total. Each makes at least one hypercall, unless it has no operation. ${window}`,
    labels: grantLabels,
    ...ofGrants,
  }),
  callDuration: histogram('xen_grant_call_duration_seconds', {
    meaning: `Time from the beginning of a grant call to its end, in seconds, including time lost to interrupts and to other domains. The bounds are powers of two nanoseconds. ${window}`,
    labels: ['operation'],
    ...ofGrants,
  }),
  sends: total('xen_event_channel_sends_total', {
    meaning: `Events that drivers of this kernel sent, by purpose: "netback" to a guest, which its host counts nowhere else; netfront, blkback, blkfront, console, xenbus, other. Events of programs and IPIs are not included. ${whose} ${window}`,
    labels: eventLabels,
    source: 'a kprobe at notify_remote_via_irq, and /proc/interrupts',
    versions: 'checked with Linux 6.1',
  }),
  lateEois: total('xen_event_channel_late_eois_total', {
    meaning: `Events that drivers of this kernel have handled, by result: "work" was found, or it was "spurious", so the kernel delays the next ones. Drivers of frontends are included. ${whose} ${window}`,
    labels: [...eventLabels, 'result'],
    source: 'a kprobe at xen_irq_lateeoi, and /proc/interrupts',
    versions: 'checked with Linux 6.1',
  }),
  acceptWait: histogram('xen_accept_wait_seconds', {
    meaning: `Time from a connection's entry into the accept queue until accept() returns it, in seconds. Covers all listeners and network namespaces of this kernel. The bounds are powers of two nanoseconds. ${window}`,
    ...ofAccept,
  }),
  unmatched: total('xen_accept_wait_unmatched_total', {
    meaning: `Connections that accept() returned and xen_accept_wait_seconds does not count: those that were in the queue before the probes were armed, and those that probes missed. ${window}`,
    ...ofAccept,
  }),
  passiveOpens: total('xen_accept_probe_passive_opens_total', {
    meaning:
      "Connections that TCP counted as made by clients while the probes of accept were armed, in the exporter's network namespace: the reference count for checking these probes.",
    source: 'PassiveOpens of /proc/net/snmp',
  }),
  armedSeconds: total('xen_exporter_probe_armed_seconds_total', {
    meaning:
      'Time during which probes were armed and their counts were read, in seconds, by set: grants, events, accept.',
    labels: ['probes'],
    source: 'the exporter',
  }),
  hits: total('xen_exporter_probe_hits_total', {
    meaning:
      'Hits of the probes while they were armed, at "entry" of a function or its "return". An inlined function gives 0.',
    labels: ['probes', 'function', 'at'],
    source: profile,
  }),
  missed: total('xen_exporter_probe_missed_total', {
    meaning:
      'Hits that the kernel missed: returns beyond the number of calls that it can follow at once, or hits while another probe ran on the same CPU.',
    labels: ['probes', 'function', 'at'],
    source: profile,
  }),
  dropped: total('xen_exporter_probe_dropped_total', {
    meaning: 'Hits that were not counted because the table was full. The counts are too small by this number.',
    labels: ['probes'],
    source: 'Dropped of the hist files of tracefs',
  }),
  discarded: total('xen_exporter_probe_discarded_total', {
    meaning: 'Durations left out because they were negative: the clocks of two CPUs did not agree.',
    labels: ['probes'],
    source: 'the row 2^64 of the hist files of tracefs',
  }),
  windows: total('xen_exporter_probe_windows_total', {
    meaning:
      'Windows with armed probes by result: complete, short (more hits than collector.probes.max-hits), refused (another exporter had its probes there), failed (nothing of it is used).',
    labels: ['result'],
    source: 'the exporter',
  }),
  cpuSeconds: total('xen_exporter_probe_cpu_seconds_total', {
    meaning:
      'CPU time of this exporter for making, arming, reading and disarming probes, in seconds, without the cost of hits.',
    source: 'getrusage(2)',
  }),
};

export const windowResults = ['complete', 'short', 'refused', 'failed'] as const;
export type WindowResult = (typeof windowResults)[number];
