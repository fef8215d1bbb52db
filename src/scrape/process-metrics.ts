import type { OwnProcess } from '../host/own-process.ts';
import { gauge, total, type Descriptor } from '../metrics/descriptor.ts';
import type { Families } from '../metrics/families.ts';
import { noLabels } from '../metrics/labels.ts';

/** Process metrics with the names that Prometheus client libraries use. */
const metrics: readonly { metric: Descriptor<never>; read: (own: OwnProcess) => number | undefined }[] = [
  {
    metric: total('process_cpu_seconds_total', {
      meaning: 'User and system CPU time of this process, in seconds.',
    }),
    read: (own) => own.cpuSeconds,
  },
  {
    metric: gauge('process_start_time_seconds', {
      meaning: 'When this process started, in seconds since 1970.',
    }),
    read: (own) => own.startTimeSeconds,
  },
  {
    metric: gauge('process_resident_memory_bytes', {
      meaning: 'Resident memory of this process, in bytes.',
    }),
    read: (own) => own.residentBytes,
  },
  {
    metric: gauge('process_open_fds', {
      meaning: 'File descriptors that are open.',
    }),
    read: (own) => own.openDescriptors,
  },
  {
    metric: gauge('process_max_fds', {
      meaning: 'Limit of open file descriptors. Absent without a limit.',
    }),
    read: (own) => own.maxDescriptors,
  },
  {
    metric: gauge('nodejs_heap_size_total_bytes', {
      meaning: 'Size of the JavaScript heap, in bytes.',
    }),
    read: (own) => own.heapBytes,
  },
  {
    metric: gauge('nodejs_heap_size_used_bytes', {
      meaning: 'Used part of the JavaScript heap, in bytes.',
    }),
    read: (own) => own.heapUsedBytes,
  },
  {
    metric: total('nodejs_eventloop_active_seconds_total', {
      meaning: 'Time that the event loop spent on work instead of waiting for it, in seconds.',
    }),
    read: (own) => own.eventLoopActiveSeconds,
  },
];

export const processMetrics: readonly Descriptor[] = metrics.map(({ metric }) => metric);

/** Adds a reading of this process to `out`. */
export const addProcess = (out: Families, own: OwnProcess): void => {
  for (const { metric, read } of metrics) out.add(metric, noLabels, read(own));
};
