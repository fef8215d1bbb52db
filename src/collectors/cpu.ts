import { cpuModes, parseProcStat } from '../formats/proc-stat.ts';
import { bounds } from '../metrics/bounds.ts';
import { counter } from '../metrics/descriptor.ts';
import { defineCollector } from './collector.ts';
import { needs, parsedRows } from '../sources/parsed.ts';

// The kernel prints CPU times in units of USER_HZ, which is 100 on every architecture that Xen runs on.
const ticksPerSecond = 100;

const metrics = {
  seconds: counter('xen_cpu_seconds_total', {
    meaning:
      'Time that this kernel\'s CPU spent in each mode, in seconds; "steal" is time that a virtual CPU was ready to run, or parked by its cap, and the hypervisor ran another. Never decreases, not even across live migration.',
    labels: ['cpu', 'mode'],
    source: '/proc/stat',
    wraps: 'u64',
    bounds: bounds.cpuTicks,
  }),
};

/** CPU times, mainly steal and interrupts. */
export const cpu = defineCollector({
  name: 'cpu',
  help: 'Time of each CPU by mode, with the time stolen by other guests, from /proc/stat.',
  enabledByDefault: true,
  maxSeries: 4096,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { procfs } }) => ({
    availability: () => needs(procfs, 'stat'),
    collect: ({ host, out }) => {
      for (const { cpu, ticks } of parsedRows(host.procfs, 'stat', parseProcStat, out)) {
        for (const mode of cpuModes) {
          const labels = out.labels(metrics.seconds.labels, cpu, mode);
          out.counter(metrics.seconds, labels, { reads: ticks[mode], unitsPer: ticksPerSecond });
        }
      }
    },
  }),
});
