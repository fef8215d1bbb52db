import { histogram, total } from '../../metrics/descriptor.ts';

const source = { source: "run-state changes in Xen's trace buffer, read with xentrace", versions: 'Xen 4.17' } as const;
const domainLabel = ['domain'] as const;
const inWindows = 'In the windows that were traced, see xen_exporter_xentrace_armed_seconds_total.';

/** Upper bounds of waits in seconds: from 10 us, three to a decade. */
export const waitBounds = [
  '1e-05',
  '3e-05',
  '0.0001',
  '0.0003',
  '0.001',
  '0.003',
  '0.01',
  '0.03',
  '0.1',
  '0.3',
  '1.0',
  '+Inf',
] as const;

export const metrics = {
  runState: total('xen_domain_runstate_seconds_total', {
    meaning: `Time that the vCPUs of the domain were seen running, runnable (ready, and waiting for a physical CPU), blocked (with nothing to do) or offline (paused by Xen: at a cap, waiting for the device model of an HVM guest, unplugged), in seconds, summed over its vCPUs. One that slept through a whole window is not counted in it. The share of a state is its rate over that of all states of the domain. ${inWindows}`,
    labels: ['domain', 'state'],
    ...source,
  }),
  wakeDelay: histogram('xen_domain_wake_delay_seconds', {
    meaning: `For how long a vCPU that was blocked waited for a physical CPU when it was woken, by an interrupt for instance, in seconds. ${inWindows}`,
    labels: domainLabel,
    ...source,
  }),
  preemptedWait: histogram('xen_domain_preempted_wait_seconds', {
    meaning: `For how long a vCPU that had to leave its physical CPU to another waited until it ran again, in seconds. ${inWindows}`,
    labels: domainLabel,
    ...source,
  }),
  armedSeconds: total('xen_exporter_xentrace_armed_seconds_total', {
    meaning:
      'Time of which the trace told every run state, in seconds: a rate of xen_domain_runstate_seconds_total over that of this is a mean number of vCPUs.',
    ...source,
  }),
  windows: total('xen_exporter_xentrace_windows_total', {
    meaning:
      'Windows that were traced: complete; short, because it reached its limit of bytes or CPU time, the rest of it being left out; refused, because another program was tracing; failed, of which nothing is used.',
    labels: ['result'],
    source: 'exit status and output of xentrace, lsevtchn',
  }),
  bytes: total('xen_exporter_xentrace_bytes_total', {
    meaning: 'Bytes that xentrace gave.',
    ...source,
  }),
  cpuSeconds: total('xen_exporter_xentrace_cpu_seconds_total', {
    meaning: 'CPU time of this exporter for reading traces, in seconds, without that of xentrace.',
    source: 'getrusage(2)',
  }),
  lostRecords: total('xen_exporter_xentrace_lost_records_total', {
    meaning:
      'Records that Xen could not write because its buffer was full, also since before the window. Nothing is said of the time in which they were lost.',
    ...source,
  }),
  mismatches: total('xen_exporter_xentrace_mismatched_changes_total', {
    meaning:
      'Changes that do not go on from the state that the vCPU was in. The time before such a change is left out.',
    ...source,
  }),
};
