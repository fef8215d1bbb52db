import { cpuModes, parseProcStat } from '../formats/proc-stat.ts';
import { Accumulator, growthForwardOnly } from '../metrics/accumulator.ts';
import { counter } from '../metrics/descriptor.ts';
import { LabelSets, type Labels } from '../metrics/labels.ts';
import { defineCollector } from './collector.ts';
import { needs, parsed } from '../sources/parsed.ts';

// The kernel prints CPU times in units of USER_HZ, which is 100 on every architecture that Xen runs on.
const ticksPerSecond = 100;

const metrics = {
  seconds: counter(
    'xen_cpu_seconds_total',
    'Time that this kernel\'s CPU spent in each mode, in seconds; "steal" is time that a virtual CPU was ready to run, or parked by its cap, and the hypervisor ran another. Never goes down, also not across live migration. Source: /proc/stat.',
    ['cpu', 'mode'],
  ),
};

/** CPU times, for what of them was stolen and what went to interrupts. */
export const cpu = defineCollector({
  name: 'cpu',
  help: 'Time of each CPU by mode, with the time stolen by other guests, from /proc/stat.',
  enabledByDefault: true,
  maxSeries: 4096,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { procfs } }) => {
    const labelSets = new LabelSets(metrics.seconds.labels);
    const ticks = new Accumulator<Labels>(growthForwardOnly);
    return {
      availability: () => needs(procfs, 'stat'),
      collect: ({ host, out }) => {
        for (const { cpu, ticks: now } of parsed(host.procfs, 'stat', parseProcStat)) {
          for (const mode of cpuModes) {
            const labels = labelSets.get(cpu, mode);
            out.add(metrics.seconds, labels, ticks.total(labels, now[mode]) / ticksPerSecond);
          }
        }
        labelSets.sweep();
        ticks.sweep();
      },
    };
  },
});
