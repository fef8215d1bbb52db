import { histogram, total } from '../../metrics/descriptor.ts';

const source = { source: "run-state changes in Xen's trace buffer, read with xentrace", versions: 'Xen 4.17' } as const;
const domainLabel = ['domain'] as const;
const inWindows = 'Covers traced windows only, see xen_exporter_xentrace_armed_seconds_total.';

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
    meaning: `Time that the vCPUs of the domain were seen running, runnable (ready, and waiting for a physical CPU), blocked (with nothing to do) or offline (paused by Xen: at a cap, waiting for the device model of an HVM guest, unplugged), in seconds, summed over its vCPUs. A vCPU that slept through a whole window is not counted in it. The share of a state is its rate over that of all states of the domain. ${inWindows}`,
    labels: ['domain', 'state'],
    ...source,
  }),
  wakeDelay: histogram('xen_domain_wake_delay_seconds', {
    meaning: `Time that a blocked vCPU waited for a physical CPU after it was woken, for example by an interrupt, in seconds. ${inWindows}`,
    labels: domainLabel,
    ...source,
  }),
  preemptedWait: histogram('xen_domain_preempted_wait_seconds', {
    meaning: `Time that a preempted vCPU waited until it ran again, in seconds. ${inWindows}`,
    labels: domainLabel,
    ...source,
  }),
  armedSeconds: total('xen_exporter_xentrace_armed_seconds_total', {
    meaning:
      'Seconds with complete run-state data. Divide rate(xen_domain_runstate_seconds_total) by its rate to get the mean number of vCPUs.',
    ...source,
  }),
  windows: total('xen_exporter_xentrace_windows_total', {
    meaning:
      'Traced windows by result: complete, short (it reached its limit of bytes or CPU time, and its rest is left out), refused (another program was tracing), failed (nothing of it is used).',
    labels: ['result'],
    source: 'exit status and output of xentrace, lsevtchn',
  }),
  bytes: total('xen_exporter_xentrace_bytes_total', {
    meaning: 'Bytes that xentrace wrote.',
    ...source,
  }),
  cpuSeconds: total('xen_exporter_xentrace_cpu_seconds_total', {
    meaning: 'CPU time of this exporter for reading traces, in seconds, without that of xentrace.',
    source: 'getrusage(2)',
  }),
  lostRecords: total('xen_exporter_xentrace_lost_records_total', {
    meaning:
      'Records that Xen could not write because its buffer was full, including records lost before the window. Their time counts in no run state.',
    ...source,
  }),
  mismatches: total('xen_exporter_xentrace_mismatched_changes_total', {
    meaning: 'Changes that do not continue from the last state of the vCPU. The time before such a change is left out.',
    ...source,
  }),
};
