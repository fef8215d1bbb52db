import { runStates } from '../../formats/xentrace.ts';
import { LabelSets, noLabels } from '../../metrics/labels.ts';
import { absentCollector, defineCollector } from '../collector.ts';
import type { BackgroundTask } from '../../sources/background-task.ts';
import { numberOption } from '../../config/option.ts';
import { domainLabels } from '../../sources/toolstack/domain-directory.ts';
import { parseXlInfo } from '../../formats/xl-info.ts';
import { NamedTotals } from '../../metrics/named-totals.ts';
import { CannotTrace, pauseSeconds, windowOptions } from '../../sources/windows.ts';
import type { RunStateTotals } from './domain-totals.ts';
import { metrics, windowResults, type WindowResult } from './metrics.ts';
import { AnotherTracer, Tracer, type TraceCost } from '../../sources/xentrace/tracer.ts';

const options = {
  ...windowOptions(3),
  'max-bytes': numberOption({
    help: 'Bytes that a window may bring; it ends when there are more. Half a million changes in 8 MiB.',
    default: 8 << 20,
    metavar: 'BYTES',
    min: 1 << 16,
    max: 1 << 28,
    whole: true,
  }),
  'cpu-budget': numberOption({
    help: 'Share of one core that reading the trace may cost; a window that costs more ends.',
    default: 0.02,
    metavar: 'SHARE',
    min: 0.0001,
    max: 1,
  }),
};

/** How long vCPUs wait for a physical CPU, which stock Xen tells nobody but in its trace buffer. */
export const runstate = defineCollector({
  name: 'runstate',
  help: "Time that every domain's vCPUs run, sleep and wait for a physical CPU, and for how long at a stretch, from Xen's trace buffer.",
  enabledByDefault: false,
  cadence: 'guarded',
  maxSeries: 20_000,
  options,
  metrics: Object.values(metrics),
  create: ({ options: { window, interval, 'max-bytes': maxBytes, 'cpu-budget': cpuBudget }, host, toolstack }) => {
    const { xl } = toolstack;
    if (typeof xl === 'string') return absentCollector(xl);
    const [xentrace, lsevtchn] = ['xentrace', 'lsevtchn'].map((name) => host.commands.find(name));
    if (xentrace === undefined) {
      return absentCollector('there is no xentrace on the PATH or in /usr/lib/xen-*/bin (--path.xentrace)');
    }
    if (lsevtchn === undefined) {
      return absentCollector('there is no lsevtchn on the PATH or in /usr/lib/xen-*/bin (--path.lsevtchn)');
    }

    const maxCpuSeconds = (cpuBudget * Math.max(interval, window)) / 2;
    const tracer = new Tracer({
      host,
      toolstack,
      programs: { xentrace, lsevtchn },
      // Putting changes in order and adding them up costs about as much as reading them.
      limits: { windowSeconds: window, maxBytes, maxCpuSeconds },
    });
    const totals = new NamedTotals<RunStateTotals>();
    const cost: TraceCost = { bytes: 0, cpuSeconds: 0 };
    const results: Record<WindowResult, number> = { complete: 0, short: 0, refused: 0, failed: 0 };
    let armedSeconds = 0;
    let lostRecords = 0;
    let mismatches = 0;
    let cannot: string | undefined;

    const names = (): Map<number, string> => domainLabels(xl.domains.last ?? []);

    const hertz = async (): Promise<number> => {
      const { cpuMhz } = xl.info.last ?? (await xl.read(['info'], parseXlInfo));
      if (!cpuMhz) throw new Error('xl info does not say cpu_mhz, the unit of time of the trace');
      return cpuMhz * 1e6;
    };

    const traceWindow = async (): Promise<void> => {
      const traced = await tracer.trace(await hertz(), cost);
      results[traced.isShort ? 'short' : 'complete'] += 1;
      armedSeconds += traced.seconds;
      lostRecords += traced.lostRecords;
      mismatches += traced.mismatches;
      totals.add(traced.domains);
      const known = names();
      totals.of(known);
      if ([...traced.domains.keys()].some((domid) => !known.has(domid))) xl.domains.refresh();
    };

    const windows: BackgroundTask = {
      every: { seconds: pauseSeconds({ window, interval }) },
      run: async () => {
        if (cannot !== undefined) return;
        try {
          await traceWindow();
        } catch (error) {
          if (error instanceof CannotTrace) {
            cannot = error.message;
            return;
          }
          results[error instanceof AnotherTracer ? 'refused' : 'failed'] += 1;
          throw error;
        }
      },
    };

    const domainLabelSets = new LabelSets(metrics.wakeDelay.labels);
    const stateLabelSets = new LabelSets(metrics.runState.labels);
    const resultLabelSets = new LabelSets(metrics.windows.labels);
    return {
      applies: () => cannot ?? true,
      background: [windows],
      profitsFrom: [xl.domains, xl.info],
      collect: ({ out }) => {
        if (cannot !== undefined) return;
        for (const [name, { seconds, wakeDelay, preemptedWait }] of totals.of(names())) {
          for (const state of runStates) out.add(metrics.runState, stateLabelSets.get(name, state), seconds[state]);
          const labels = domainLabelSets.get(name);
          out.addHistogram(metrics.wakeDelay, labels, wakeDelay.read());
          out.addHistogram(metrics.preemptedWait, labels, preemptedWait.read());
        }
        out.add(metrics.armedSeconds, noLabels, armedSeconds);
        for (const result of windowResults) out.add(metrics.windows, resultLabelSets.get(result), results[result]);
        out.add(metrics.bytes, noLabels, cost.bytes);
        out.add(metrics.cpuSeconds, noLabels, cost.cpuSeconds);
        out.add(metrics.lostRecords, noLabels, lostRecords);
        out.add(metrics.mismatches, noLabels, mismatches);
        for (const labels of [domainLabelSets, stateLabelSets, resultLabelSets]) labels.sweep();
      },
    };
  },
});
