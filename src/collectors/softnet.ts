import { parseSoftnetStat } from '../formats/proc-net-softnet-stat.ts';
import { Accumulator, growthOfU32 } from '../metrics/accumulator.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { LabelSets, type Labels } from '../metrics/labels.ts';
import { defineCollector } from './collector.ts';
import { needs, parsed } from '../sources/parsed.ts';

const file = 'net/softnet_stat';

const metrics = {
  processed: counter(
    'xen_softnet_processed_packets_total',
    'Packets that the CPU took from its backlog queue or by NAPI. Source: /proc/net/softnet_stat, column 1.',
    ['cpu'],
  ),
  dropped: counter(
    'xen_softnet_dropped_packets_total',
    'Packets dropped because the backlog queue of the CPU was full (net.core.netdev_max_backlog). Source: /proc/net/softnet_stat, column 2.',
    ['cpu'],
  ),
  squeezed: counter(
    'xen_softnet_times_squeezed_total',
    'Times that the CPU left packets for later because its budget was used up (net.core.netdev_budget, netdev_budget_usecs). Source: /proc/net/softnet_stat, column 3.',
    ['cpu'],
  ),
  backlog: gauge(
    'xen_softnet_backlog_packets',
    'Packets in the backlog queue of the CPU; absent where the kernel does not print it (before 5.10). Source: /proc/net/softnet_stat, column 12.',
    ['cpu'],
  ),
};

/** The kernel's own receive path, between driver and TCP. */
export const softnet = defineCollector({
  name: 'softnet',
  help: 'Receive work, drops and exhausted budgets of each CPU, from /proc/net/softnet_stat.',
  enabledByDefault: true,
  maxSeries: 4096,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { procfs } }) => {
    const labelSets = new LabelSets(['cpu']);
    const counters = {
      processed: new Accumulator<Labels>(growthOfU32),
      dropped: new Accumulator<Labels>(growthOfU32),
      timeSqueezed: new Accumulator<Labels>(growthOfU32),
    };
    return {
      availability: () => needs(procfs, file),
      collect: ({ host, out }) => {
        for (const row of parsed(host.procfs, file, parseSoftnetStat)) {
          const labels = labelSets.get(row.cpu);
          out.add(metrics.processed, labels, counters.processed.total(labels, row.processed));
          out.add(metrics.dropped, labels, counters.dropped.total(labels, row.dropped));
          out.add(metrics.squeezed, labels, counters.timeSqueezed.total(labels, row.timeSqueezed));
          out.add(metrics.backlog, labels, row.backlog);
        }
        labelSets.sweep();
        Object.values(counters).forEach((accumulator) => accumulator.sweep());
      },
    };
  },
});
