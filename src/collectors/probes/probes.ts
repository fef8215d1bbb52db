import { Unavailable, type Availability } from '../../host/unavailable.ts';
import type { FileTree } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import { noLabels } from '../../metrics/labels.ts';
import { needsBackends, vifDevices } from '../../sources/backend-devices.ts';
import { defineCollector } from '../collector.ts';
import type { BackgroundTask } from '../../sources/background-task.ts';
import { fileOnly, numberOption, switchOption, textOption } from '../../config/option.ts';
import { cpuBudgetOption, queuesOption, windowOptions } from '../../config/collector-options.ts';
import { uncounted } from '../../sources/parsed.ts';
import { CannotTrace, pauseSeconds } from '../../sources/windows.ts';
import { needsXen } from '../../sources/xen.ts';
import { metrics, windowResults, type WindowResult } from './metrics.ts';
import { probeSetNames, probeSets, type ProbeSetName } from './probe-sets.ts';
import { ProbeTotals } from './probe-totals.ts';
import { pause, ProbeWindows } from './probe-windows.ts';
import { AnotherExporter, needsTracefs } from './leftovers.ts';
import { ProbeSession } from './session.ts';

const namesIn = (text: string): ProbeSetName[] => {
  const words = text.split(',');
  return probeSetNames.filter((name) => words.includes(name));
};

const options = {
  sets: textOption({
    help: 'Probes to set: grants (grant operations of Dom0 and driver domains), events (event channels, on Xen), accept (time in the accept queue, on any Linux).',
    default: probeSetNames.join(','),
    metavar: 'LIST',
    expected: `one or more of ${probeSetNames.join(', ')}, with commas between`,
    holds: (text) => text.split(',').every((word) => probeSetNames.some((name) => name === word)),
  }),
  queues: queuesOption,
  ...windowOptions('of the probes', 5),
  always: fileOnly(
    switchOption({
      help: 'Keep the probes armed and read them after each window. The interval then applies only to re-arming after too many hits.',
      default: false,
    }),
  ),
  'max-hits': fileOnly(
    numberOption({
      help: 'Hits per second of all probes. Above this they are disarmed until the next window.',
      default: 200_000,
      metavar: 'NUMBER',
      min: 1,
      max: 1e9,
    }),
  ),
  'cpu-budget': cpuBudgetOption(
    'Share of one core that arming and reading may use. Above it windows are further apart.',
    0.01,
  ),
};

const filesNeeded = [
  { file: 'kprobe_events', what: 'kprobe events (CONFIG_KPROBE_EVENTS)' },
  { file: 'events/sched/sched_switch/hist', what: 'hist triggers (CONFIG_HIST_TRIGGERS)' },
  { file: 'synthetic_events', what: 'synthetic events (CONFIG_SYNTH_EVENTS)' },
];

/** Returns whether this kernel supports probes. Never throws. */
const needsProbes = (tracefs: FileTree): Availability => {
  try {
    const isThere = needsTracefs(tracefs);
    if (isThere !== true) return isThere;
    const lacking = filesNeeded.find(({ file }) => !tracefs.exists(file));
    return lacking === undefined || new Unavailable(`this kernel has no ${lacking.what}`);
  } catch (error) {
    return Unavailable.because(error);
  }
};

/** For each set: true if this machine has anything to measure now, else the reason. */
const needsOf = ({ sysfs }: Host): Record<ProbeSetName, () => Availability> => {
  const onXen = needsXen(sysfs);
  return {
    grants: () => (onXen === true ? needsBackends(sysfs, ['vif', 'vbd'], 'no vif or vbd') : onXen),
    events: () => onXen,
    accept: () => true,
  };
};

/** Grant operations, events and waits for accept(), which no counter shows, from temporary kernel probes. */
export const probes = defineCollector({
  name: 'probes',
  help: 'Grant operations and their times, events sent through event channels, and waits of connections for accept(), from kprobes and hist triggers of the kernel.',
  enabledByDefault: false,
  maxSeries: 20_000,
  options,
  metrics: Object.values(metrics),
  create: ({ options, host, log, toolstack }) => {
    const { window, interval, always: isAlways } = options;
    const names = namesIn(options.sets);
    const needs = needsOf(host);
    const session = new ProbeSession(
      host,
      names.map((name) => probeSets[name]),
    );
    const limits = { windowSeconds: window, maxHits: options['max-hits'], isAlways };
    const windows = new ProbeWindows({ host, log, session, limits });
    const totals = new ProbeTotals(options.queues === 'each');
    const results: Record<WindowResult, number> = { complete: 0, short: 0, refused: 0, failed: 0 };
    const closing = new AbortController();
    let cpuSeconds = 0;
    let running: Promise<unknown> = Promise.resolve();
    let refusal: Unavailable | undefined;

    const whyNot = (name: ProbeSetName): string | undefined => {
      const unusable = session.unusable.get(name);
      if (unusable !== undefined) return `${name}: ${unusable}`;
      const need = needs[name]();
      return need === true ? undefined : `${name}: ${need.reason}`;
    };
    const missing = (): string[] => names.flatMap((name) => whyNot(name) ?? []);
    const availability = (): Availability => {
      const isHere = refusal ?? needsProbes(host.tracefs.files);
      if (isHere !== true) return isHere;
      const all = missing();
      return all.length < names.length || new Unavailable(all.join('; '));
    };

    const watchOnce = async (): Promise<void> => {
      const wanted = new Set(names.filter((name) => whyNot(name) === undefined));
      const cost = (seconds: number): void => {
        cpuSeconds += seconds;
      };
      const seen = await windows.watch(wanted, closing.signal, cost);
      if (!seen) return;
      totals.add(host, seen.deltas, seen.tcp);
      results[seen.isShort ? 'short' : 'complete'] += 1;
      if (seen.isShort && isAlways) await pause(interval, closing.signal);
    };

    const attempt = async (): Promise<void> => {
      const before = cpuSeconds;
      try {
        await watchOnce();
      } catch (error) {
        windows.forget();
        // Report the window's own error. Leftovers are removed before the next window.
        await session.tearDown().catch(() => {});
        if (error instanceof CannotTrace) {
          refusal = Unavailable.because(error);
          return;
        }
        results[error instanceof AnotherExporter ? 'refused' : 'failed'] += 1;
        throw error;
      }
      const secondsOfBudget = (cpuSeconds - before) / options['cpu-budget'];
      await pause(Math.max(0, secondsOfBudget - (isAlways ? window : interval)), closing.signal);
    };

    const task: BackgroundTask = {
      every: { seconds: isAlways ? 0 : pauseSeconds({ window, interval }) },
      run: async () => {
        if (closing.signal.aborted || availability() !== true) return;
        await (running = attempt());
      },
    };

    return {
      availability,
      limitations: () => missing().join('; ') || undefined,
      background: [task],
      sharedTasks: toolstack.naming,
      collect: ({ host: { sysfs }, out }) => {
        if (refusal || missing().length === names.length) return;
        const owners = vifDevices(sysfs, uncounted).flatMap(({ domid }) => {
          const owner = toolstack.directory.ownerOf(domid);
          return owner === undefined ? [] : [[domid, owner.label] as const];
        });
        totals.addTo(out, new Map(owners));
        for (const result of windowResults)
          out.total(metrics.windows, out.labels(metrics.windows.labels, result), results[result]);
        out.total(metrics.cpuSeconds, noLabels, cpuSeconds);
      },
      close: async () => {
        closing.abort();
        await running.catch(() => {});
        await session.tearDown();
      },
    };
  },
});
