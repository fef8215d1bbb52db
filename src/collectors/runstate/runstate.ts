import { runStates } from '../../formats/xentrace.ts';
import { Unavailable } from '../../host/unavailable.ts';
import { noLabels } from '../../metrics/labels.ts';
import { NamedTotals } from '../../metrics/named-totals.ts';
import { domainLabels } from '../../sources/toolstack/domain-directory.ts';
import { windowResults, type ReadableWindow } from '../../sources/xentrace/xentrace.ts';
import { absentCollector, defineCollector } from '../collector.ts';
import { RunStateTotals } from './domain-totals.ts';
import { foldIntervals } from './intervals.ts';
import { metrics } from './metrics.ts';

/** CPU waits of vCPUs, which stock Xen reports only in its trace buffer. */
export const runstate = defineCollector({
  name: 'runstate',
  help: "How long every domain's vCPUs run, sleep and wait for a physical CPU, in total and each time, from Xen's trace buffer.",
  enabledByDefault: false,
  maxSeries: 20_000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ toolstack: { xl }, xentrace }) => {
    if (xl instanceof Unavailable) return absentCollector(xl);
    if (xentrace.unavailable) return absentCollector(xentrace.unavailable);
    const totals = new NamedTotals<RunStateTotals>();
    let mismatches = 0;

    const names = (): Map<number, string> => domainLabels(xl.domains.last ?? []);

    xentrace.addReader(function* ({ trace, span, hertz }: ReadableWindow) {
      const domains = new Map<number, RunStateTotals>();
      mismatches += yield* foldIntervals(trace, span, (interval) => {
        let ofDomain = domains.get(interval.domid);
        if (!ofDomain) domains.set(interval.domid, (ofDomain = new RunStateTotals()));
        ofDomain.add(interval, hertz);
      });
      totals.add(domains);
      const known = names();
      totals.of(known);
      if ([...domains.keys()].some((domid) => !known.has(domid))) xl.domains.refresh();
    });

    return {
      availability: () => xentrace.unavailable ?? true,
      background: [xentrace.task],
      sharedTasks: [xl.domains, xl.info],
      collect: ({ out }) => {
        if (xentrace.unavailable) return;
        for (const [name, { seconds, wakeDelay, preemptedWait }] of totals.of(names())) {
          for (const state of runStates)
            out.total(metrics.runState, out.labels(metrics.runState.labels, name, state), seconds[state]);
          const labels = out.labels(metrics.wakeDelay.labels, name);
          out.histogram(metrics.wakeDelay, labels, wakeDelay.read());
          out.histogram(metrics.preemptedWait, labels, preemptedWait.read());
        }
        const { results, armedSeconds, lostRecords, cost } = xentrace.totals;
        out.total(metrics.armedSeconds, noLabels, armedSeconds);
        for (const result of windowResults)
          out.total(metrics.windows, out.labels(metrics.windows.labels, result), results[result]);
        out.total(metrics.bytes, noLabels, cost.bytes);
        out.total(metrics.cpuSeconds, noLabels, cost.cpuSeconds);
        out.total(metrics.lostRecords, noLabels, lostRecords);
        out.total(metrics.mismatches, noLabels, mismatches);
      },
    };
  },
});
