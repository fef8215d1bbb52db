import { Unavailable } from '../host/unavailable.ts';
import { gauge } from '../metrics/descriptor.ts';
import { noLabels } from '../metrics/labels.ts';
import { absentCollector, defineCollector } from './collector.ts';

const source = 'of xl info (Xen 4.17)';

const metrics = {
  info: gauge('xen_host_info', {
    meaning:
      'Constant 1. Version of the running Xen, the scheduler that it booted with (cpupools may have others: xen_scheduler_info), and the virtualisation features of the processor.',
    labels: ['xen_version', 'scheduler', 'virt_caps'],
    source: `xen_version, xen_scheduler, virt_caps ${source}`,
  }),
  cpus: gauge('xen_host_cpus', {
    meaning: 'Physical CPUs that are online.',
    source: `nr_cpus ${source}`,
  }),
  nodes: gauge('xen_host_numa_nodes', {
    meaning: 'NUMA nodes.',
    source: `nr_nodes ${source}`,
  }),
  cores: gauge('xen_host_cores_per_socket', {
    meaning: 'Cores of each socket.',
    source: `cores_per_socket ${source}`,
  }),
  threads: gauge('xen_host_threads_per_core', {
    meaning: 'Hardware threads of each core; each counts as a CPU.',
    source: `threads_per_core ${source}`,
  }),
  freeCpus: gauge('xen_host_free_cpus', {
    meaning: 'Physical CPUs in no cpupool.',
    source: `free_cpus ${source}`,
  }),
  memory: gauge('xen_host_memory_bytes', {
    meaning: 'Memory of the host, in bytes.',
    source: `total_memory ${source}`,
  }),
  freeMemory: gauge('xen_host_memory_free_bytes', {
    meaning: 'Memory that no domain has, in bytes.',
    source: `free_memory ${source}`,
  }),
};

/** The physical machine. Dom0's own kernel sees only part of it. */
export const host = defineCollector({
  name: 'host',
  help: 'Physical CPUs and memory of the host and the version of its Xen, from xl info.',
  enabledByDefault: true,
  maxSeries: 10,
  options: {},
  metrics: Object.values(metrics),
  create: ({ toolstack }) => {
    const { xl } = toolstack;
    if (xl instanceof Unavailable) return absentCollector(xl);
    return {
      availability: () => true,
      background: [xl.info],
      collect: ({ out }) => {
        const reading = xl.info.fresh;
        if (reading === undefined) return;
        const { xenVersion, scheduler, virtCaps = [] } = reading;
        if (xenVersion !== undefined && scheduler !== undefined) {
          out.gauge(metrics.info, out.labels(metrics.info.labels, xenVersion, scheduler, virtCaps.join(' ')), 1);
        }
        out.gauge(metrics.cpus, noLabels, reading.cpus);
        out.gauge(metrics.nodes, noLabels, reading.nodes);
        out.gauge(metrics.cores, noLabels, reading.coresPerSocket);
        out.gauge(metrics.threads, noLabels, reading.threadsPerCore);
        out.gauge(metrics.freeCpus, noLabels, reading.freeCpus);
        out.gauge(metrics.memory, noLabels, reading.memoryBytes);
        out.gauge(metrics.freeMemory, noLabels, reading.freeMemoryBytes);
      },
    };
  },
});
