import { Unavailable } from '../host/unavailable.ts';
import { gauge } from '../metrics/descriptor.ts';
import { LabelSets, noLabels } from '../metrics/labels.ts';
import { absentCollector, defineCollector } from './collector.ts';

const source = 'of xl info (Xen 4.17)';

const metrics = {
  info: gauge(
    'xen_host_info',
    `Constant 1. Version of the running Xen, the scheduler that it booted with (cpupools may have others: xen_scheduler_info), and what the processor can virtualise. Source: xen_version, xen_scheduler, virt_caps ${source}.`,
    ['xen_version', 'scheduler', 'virt_caps'],
  ),
  cpus: gauge('xen_host_cpus', `Physical CPUs that are online. Source: nr_cpus ${source}.`),
  nodes: gauge('xen_host_numa_nodes', `NUMA nodes. Source: nr_nodes ${source}.`),
  cores: gauge('xen_host_cores_per_socket', `Cores of each socket. Source: cores_per_socket ${source}.`),
  threads: gauge(
    'xen_host_threads_per_core',
    `Hardware threads of each core; each counts as a CPU. Source: threads_per_core ${source}.`,
  ),
  freeCpus: gauge('xen_host_free_cpus', `Physical CPUs in no cpupool. Source: free_cpus ${source}.`),
  memory: gauge('xen_host_memory_bytes', `Memory of the host, in bytes. Source: total_memory ${source}.`),
  freeMemory: gauge(
    'xen_host_memory_free_bytes',
    `Memory that no domain has, in bytes. Source: free_memory ${source}.`,
  ),
};

/** The physical machine, of which Dom0 itself sees only its share. */
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
    const infoLabels = new LabelSets(metrics.info.labels);
    return {
      availability: () => true,
      background: [xl.info],
      collect: ({ out }) => {
        const reading = xl.info.fresh;
        if (reading === undefined) return;
        const { xenVersion, scheduler, virtCaps = [] } = reading;
        out.add(metrics.info, infoLabels.get(xenVersion, scheduler, virtCaps.join(' ')), 1);
        out.add(metrics.cpus, noLabels, reading.cpus);
        out.add(metrics.nodes, noLabels, reading.nodes);
        out.add(metrics.cores, noLabels, reading.coresPerSocket);
        out.add(metrics.threads, noLabels, reading.threadsPerCore);
        out.add(metrics.freeCpus, noLabels, reading.freeCpus);
        out.add(metrics.memory, noLabels, reading.memoryBytes);
        out.add(metrics.freeMemory, noLabels, reading.freeMemoryBytes);
        infoLabels.sweep();
      },
    };
  },
});
