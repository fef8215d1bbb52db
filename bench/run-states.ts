// Shows the readings and cost of the collector runstate on real Xen, in the lab booted by `npm run lab:up --
// --scheduler=credit`. First the waits of domu1 in the storm at three timeslices (only one with another scheduler),
// then how tracing slows down the connections that a guest accepts. Under emulation absolute times mean nothing: the
// ratios count. Arguments select parts: waits, accepts.
import { metricsOf, startExporter, type StartOptions, stopExporter } from '../lab/harness/exporter.ts';
import { Lab } from '../lab/harness/lab.ts';
import type { Exposition } from '../tools/lib/exposition.ts';
import { until } from '../tools/lib/until.ts';
import { acceptRate } from './lab-load.ts';
import { printRuns, quantile } from './support.ts';

const ROUNDS = 3;
const TIMESLICES = [30, 5, 1];
const WINDOWS = 3;
const WINDOW_SECONDS = 20;
const LOAD_SECONDS = 60;
// Longer timeouts for the emulated processor.
const ALWAYS_ON: StartOptions = {
  flags: `--collector.runstate --xentrace.window=${WINDOW_SECONDS} --xentrace.interval=${WINDOW_SECONDS}`,
  settings: { 'xentrace.cpu-budget': 0.5 },
};

const running = Lab.running();
if (running === undefined) throw new Error('no lab runs: npm run lab:up -- --scheduler=credit');
const lab = running;
const { dom0, scheduler } = lab;

const startWith = async (options: StartOptions = {}): Promise<void> => {
  await stopExporter(dom0);
  await startExporter(dom0, options);
};

const valueOf = (page: Exposition, metric: string, labels: Record<string, string> = {}): number =>
  page.value(metric, labels) ?? 0;
const complete = (page: Exposition): number =>
  valueOf(page, 'xen_exporter_xentrace_windows_total', { result: 'complete' });

/** Pages before and after this number of windows. */
const overWindows = async (count: number): Promise<[Exposition, Exposition]> => {
  const after = (windows: number): Promise<Exposition> =>
    until(
      'windows',
      async () => {
        const page = await metricsOf(dom0);
        return complete(page) >= windows && page;
      },
      { timeoutMs: 600_000, intervalMs: 1000 },
    );
  // The first window may have begun before the measured state.
  const first = await after(complete(await metricsOf(dom0)) + 1);
  return [first, await after(complete(first) + count)];
};

/** Growth of the mean and its parts: `[count, mean in ms]`. */
const meanOf = ([first, last]: [Exposition, Exposition], wait: string, domain: string): [number, number] => {
  const grown = (part: string): number => {
    const metric = `xen_domain_${wait}_seconds_${part}`;
    return valueOf(last, metric, { domain }) - valueOf(first, metric, { domain });
  };
  return [grown('count'), (1e3 * grown('sum')) / grown('count')];
};

interface Run {
  share: number;
  wakes: number;
  wakeMs: number;
  waitMs: number;
  bytesPerSecond: number;
  cpuMsPerSecond: number;
}

const measureStorm = async (): Promise<Run> => {
  const pages = await overWindows(WINDOWS);
  const [first, last] = pages;
  const grown = (metric: string, labels: Record<string, string> = {}): number =>
    valueOf(last, metric, labels) - valueOf(first, metric, labels);
  const armed = grown('xen_exporter_xentrace_armed_seconds_total');
  const [wakes, wakeMs] = meanOf(pages, 'wake_delay', 'domu1');
  const [, waitMs] = meanOf(pages, 'preempted_wait', 'domu1');
  return {
    share: grown('xen_domain_runstate_seconds_total', { domain: 'domu1', state: 'runnable' }) / armed / 2,
    wakes,
    wakeMs,
    waitMs,
    bytesPerSecond: grown('xen_exporter_xentrace_bytes_total') / armed,
    cpuMsPerSecond: (1e3 * grown('xen_exporter_xentrace_cpu_seconds_total')) / armed,
  };
};

const report = (title: string, runs: readonly Run[]): void => {
  printRuns(
    `${title}: share of time that domu1 waits`,
    runs.map(({ share }) => share),
    '',
  );
  printRuns(
    `${title}: wait for its next turn, mean`,
    runs.map(({ waitMs }) => waitMs),
    'ms',
  );
  printRuns(
    `${title}: wake delay, mean`,
    runs.map(({ wakeMs }) => wakeMs),
    'ms',
  );
  printRuns(
    `${title}: wakes`,
    runs.map(({ wakes }) => wakes),
    '',
  );
  printRuns(
    `${title}: bytes per second traced`,
    runs.map(({ bytesPerSecond }) => bytesPerSecond),
    '',
  );
  printRuns(
    `${title}: CPU time of the exporter per second traced`,
    runs.map(({ cpuMsPerSecond }) => cpuMsPerSecond),
    'ms',
  );
};

const measureWaits = async (): Promise<void> => {
  await startWith(ALWAYS_ON);
  report('idle', [await measureStorm()]);
  await dom0.run('/lab/storm start');
  try {
    const timeslices = scheduler === 'credit' ? TIMESLICES : [undefined];
    const runs = new Map(timeslices.map((timeslice) => [timeslice, [] as Run[]]));
    // Alternate, because the machine's speed may change meanwhile.
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const timeslice of timeslices) {
        if (timeslice !== undefined) await dom0.run(`xl sched-credit -s -t ${timeslice} -r 1000`);
        runs.get(timeslice)!.push(await measureStorm());
        console.error(`storm, round ${round + 1} of ${ROUNDS}, timeslice ${timeslice ?? 'none'}`);
      }
    }
    for (const [timeslice, all] of runs) report(timeslice === undefined ? scheduler : `${timeslice} ms`, all);
  } finally {
    if (scheduler === 'credit') await dom0.run('xl sched-credit -s -t 30 -r 1000');
    await dom0.run('/lab/storm stop');
  }
};

const measureAccepts = async (): Promise<void> => {
  const server = lab.guest('domu1');
  await server.run('pgrep -x nginx >/dev/null || nginx');
  const settings = { off: {}, on: { flags: '--collector.runstate' }, 'always on': ALWAYS_ON } as const;
  type Setting = keyof typeof settings;
  const names = Object.keys(settings) as Setting[];
  const accepts: Record<Setting, number[]> = { off: [], on: [], 'always on': [] };
  let failedScrapes = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) {
      await startWith(settings[name]);
      const rate = await acceptRate(lab, server, LOAD_SECONDS, () =>
        metricsOf(dom0).catch(() => {
          failedScrapes += 1;
        }),
      );
      accepts[name].push(rate);
      console.error(`accepts, round ${round + 1} of ${ROUNDS}, windows ${name}`);
    }
  }
  for (const name of names) {
    printRuns(`connections that domu1 accepts per second, windows ${name}`, accepts[name], '');
    console.log(`  ratio to off: ${(quantile(accepts[name], 0.5) / quantile(accepts.off, 0.5)).toFixed(3)}`);
  }
  console.log(`scrapes that failed meanwhile: ${failedScrapes}`);
};

const parts = { waits: measureWaits, accepts: measureAccepts };
type Part = keyof typeof parts;
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in parts));
if (unknown.length > 0) throw new Error(`no part ${unknown.join()}; there are: ${Object.keys(parts).join()}`);
try {
  for (const name of asked.length > 0 ? (asked as Part[]) : (Object.keys(parts) as Part[])) await parts[name]();
} finally {
  await startWith();
}
