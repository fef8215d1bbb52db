import type { FileTree } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import { LabelSets, noLabels } from '../../metrics/labels.ts';
import { needsBackends, vifDevices } from '../../sources/backend-devices.ts';
import { defineCollector } from '../collector.ts';
import type { BackgroundTask } from '../../sources/background-task.ts';
import { numberOption, switchOption, textOption } from '../../config/option.ts';
import { queuesOption } from '../../config/queues-option.ts';
import { CannotTrace, pauseSeconds, windowOptions } from '../../sources/windows.ts';
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
  probes: textOption({
    help: 'Probes to set: grants (grant operations of Dom0 and driver domains), events (event channels, on Xen), accept (time in the accept queue, on any Linux).',
    default: probeSetNames.join(','),
    metavar: 'LIST',
    expected: `one or more of ${probeSetNames.join(', ')}, with commas between`,
    holds: (text) => text.split(',').every((word) => probeSetNames.some((name) => name === word)),
  }),
  queues: queuesOption,
  ...windowOptions(5),
  always: switchOption({
    help: 'Leave the probes armed, and read them after each window; the interval is then only that after which they are armed again where they were hit too often.',
    default: false,
  }),
  'max-hits': numberOption({
    help: 'Hits a second of all probes beyond which they are disarmed until the next window.',
    default: 200_000,
    metavar: 'NUMBER',
    min: 1,
    max: 1e9,
  }),
  'cpu-budget': numberOption({
    help: 'Share of one core that arming and reading may cost; windows are further apart where it costs more.',
    default: 0.01,
    metavar: 'SHARE',
    min: 0.0001,
    max: 1,
  }),
};

const filesNeeded = [
  { file: 'kprobe_events', what: 'kprobe events (CONFIG_KPROBE_EVENTS)' },
  { file: 'events/sched/sched_switch/hist', what: 'hist triggers (CONFIG_HIST_TRIGGERS)' },
  { file: 'synthetic_events', what: 'synthetic events (CONFIG_SYNTH_EVENTS)' },
];

/** Why this kernel lets nobody set the probes; undefined where it may. Never throws. */
const whyNotHere = (tracefs: FileTree): string | undefined => {
  try {
    const isThere = needsTracefs(tracefs);
    if (isThere !== true) return isThere;
    const lacking = filesNeeded.find(({ file }) => !tracefs.exists(file));
    return lacking && `this kernel has no ${lacking.what}`;
  } catch (error) {
    return (error as Error).message;
  }
};

/** For each set: true where there can be anything to see on this machine now, else the reason. */
const needsOf = ({ sysfs }: Host): Record<ProbeSetName, () => true | string> => {
  const onXen = needsXen(sysfs);
  return {
    grants: () => (onXen === true ? needsBackends(sysfs, ['vif', 'vbd'], 'no vif or vbd') : onXen),
    events: () => onXen,
    accept: () => true,
  };
};

/** Grant operations, events and waits for accept(), which no counter tells: from probes in the kernel, set now and then. */
export const trace = defineCollector({
  name: 'trace',
  help: 'Grant operations and their times, events sent through event channels, and the time that connections wait for accept(), from kprobes and hist triggers of the kernel.',
  enabledByDefault: false,
  cadence: 'guarded',
  maxSeries: 20_000,
  options,
  metrics: Object.values(metrics),
  create: ({ options, host, log, toolstack }) => {
    const { window, interval, always: isAlways } = options;
    const names = namesIn(options.probes);
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
    let cannot: string | undefined;

    const whyNot = (name: ProbeSetName): string | undefined => {
      const need = session.unusable.get(name) ?? needs[name]();
      return need === true ? undefined : `${name}: ${need}`;
    };
    const missing = (): string[] => names.flatMap((name) => whyNot(name) ?? []);
    const applies = (): true | string => {
      const why = cannot ?? whyNotHere(host.tracefs.files);
      if (why !== undefined) return why;
      const all = missing();
      return all.length < names.length || all.join('; ');
    };

    const watchOnce = async (): Promise<void> => {
      const wanted = new Set(names.filter((name) => whyNot(name) === undefined));
      const cost = (seconds: number): void => {
        cpuSeconds += seconds;
      };
      const seen = await windows.watch(wanted, closing.signal, cost);
      if (!seen) return;
      totals.add(host, seen.growths, seen.tcp);
      results[seen.isShort ? 'short' : 'complete'] += 1;
      if (seen.isShort && isAlways) await pause(interval, closing.signal);
    };

    const attempt = async (): Promise<void> => {
      const before = cpuSeconds;
      try {
        await watchOnce();
      } catch (error) {
        windows.forget();
        // What went wrong with the window is the error to be told; what cannot be taken away now is so before the next.
        await session.tearDown().catch(() => {});
        if (error instanceof CannotTrace) {
          cannot = error.message;
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
        if (closing.signal.aborted || applies() !== true) return;
        await (running = attempt());
      },
    };

    const resultLabels = new LabelSets(metrics.windows.labels);
    return {
      applies,
      lacks: () => missing().join('; ') || undefined,
      background: [task],
      profitsFrom: toolstack.naming,
      collect: ({ host: { sysfs }, out }) => {
        if (cannot !== undefined || missing().length === names.length) return;
        const owners = vifDevices(sysfs).flatMap(({ domid }) => {
          const owner = toolstack.directory.ownerOf(domid);
          return owner === undefined ? [] : [[domid, owner.label] as const];
        });
        totals.flush(out, new Map(owners));
        for (const result of windowResults) out.add(metrics.windows, resultLabels.get(result), results[result]);
        out.add(metrics.cpuSeconds, noLabels, cpuSeconds);
        resultLabels.sweep();
      },
      close: async () => {
        closing.abort();
        await running.catch(() => {});
        await session.tearDown();
      },
    };
  },
});
