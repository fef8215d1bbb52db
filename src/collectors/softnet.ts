import { parseCpuList } from '../formats/cpu-list.ts';
import { parseSoftnetStat, type SoftnetCpu } from '../formats/proc-net-softnet-stat.ts';
import type { FileTree } from '../host/file-tree.ts';
import { bounds } from '../metrics/bounds.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { defineCollector } from './collector.ts';
import { needs, parsedIfAny, parsedRows } from '../sources/parsed.ts';

const file = 'net/softnet_stat';
const cpuLabel = ['cpu'] as const;
const column = (number: number) => ({ source: `/proc/net/softnet_stat, column ${number}`, labels: cpuLabel });
const packets = { wraps: 'u32', bounds: bounds.queuePackets } as const;

const metrics = {
  processed: counter('xen_softnet_processed_packets_total', {
    meaning: 'Packets that the CPU took from its backlog queue or by NAPI.',
    ...column(1),
    ...packets,
  }),
  dropped: counter('xen_softnet_dropped_packets_total', {
    meaning: 'Packets dropped because the backlog queue of the CPU was full (net.core.netdev_max_backlog).',
    ...column(2),
    ...packets,
  }),
  squeezed: counter('xen_softnet_times_squeezed_total', {
    meaning:
      'Times that the CPU left packets for later because its budget was used up (net.core.netdev_budget, netdev_budget_usecs).',
    ...column(3),
    ...packets,
  }),
  backlog: gauge('xen_softnet_backlog_packets', {
    meaning: 'Packets in the backlog queue of the CPU; absent if the kernel does not print it (before 5.10).',
    ...column(12),
  }),
};

const onlineFile = 'devices/system/cpu/online';

/** CPU number of each row. Before Linux 5.10 the n-th online CPU. Throws Error while a CPU comes or goes. */
const cpusOf = (rows: readonly (SoftnetCpu | undefined)[], sysfs: FileTree): (number | undefined)[] => {
  if (rows.some((row) => row?.cpu !== undefined)) return rows.map((row) => row?.cpu);
  const online = parsedIfAny(sysfs, onlineFile, parseCpuList) ?? [...rows.keys()];
  if (online.length !== rows.length) {
    throw new Error(
      `${sysfs.path(onlineFile)}: expected ${rows.length} CPUs, as many as rows of ${file}, found ${online.length}`,
    );
  }
  return online;
};

/** The kernel's receive path between driver and TCP. */
export const softnet = defineCollector({
  name: 'softnet',
  help: 'Receive work, drops and exhausted budgets of each CPU, from /proc/net/softnet_stat.',
  enabledByDefault: true,
  maxSeries: 4096,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { procfs } }) => ({
    availability: () => needs(procfs, file),
    collect: ({ host, out }) => {
      const rows = parsedRows(host.procfs, file, parseSoftnetStat, out);
      const cpus = cpusOf(rows, host.sysfs);
      for (const [i, row] of rows.entries()) {
        if (row === undefined) continue;
        const labels = out.labels(cpuLabel, String(cpus[i]));
        out.counter(metrics.processed, labels, { reads: row.processed });
        out.counter(metrics.dropped, labels, { reads: row.dropped });
        out.counter(metrics.squeezed, labels, { reads: row.timeSqueezed });
        out.gauge(metrics.backlog, labels, row.backlog);
      }
    },
  }),
});
