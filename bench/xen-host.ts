// Measures what the exporter costs a Dom0 on real Xen and its guests, in the lab booted by `npm run lab:up`:
// alternately with and without the exporter in Dom0. Under emulation absolute times mean nothing: the ratios count.
import { setTimeout as delay } from 'node:timers/promises';
import { EXPORTER_PID_FILE, metricsOf, startExporter, stopExporter } from '../lab/harness/exporter.ts';
import { Lab } from '../lab/harness/lab.ts';
import { passiveOpensOf, underLoad } from './lab-load.ts';
import { quantile } from './support.ts';

const ROUNDS = 3;
const WINDOW_SECONDS = 40;
const SCRAPE_INTERVAL_SECONDS = 5;

const lab = Lab.running();
if (lab === undefined) throw new Error('no lab runs: npm run lab:up');
const { dom0 } = lab;
const server = lab.guest('domu1');

interface Window {
  /** CPU time of Dom0 per second. */
  dom0Cpu: number;
  /** Connections per second that the guest's server accepted. */
  accepts: number;
  /** CPU time of the exporter per second and per scrape, and its memory; undefined without the exporter. */
  exporter: { cpu: number; perScrape: number; residentMebibytes: number } | undefined;
}

const number = async (machine: typeof dom0, script: string): Promise<number> => Number(await machine.run(script));
const dom0Seconds = () => number(dom0, "awk '/^cpu / {print ($2+$3+$4+$6+$7+$8)/100}' /proc/stat");
const passiveOpens = () => passiveOpensOf(server);
const exporterSeconds = () => number(dom0, `awk '{print ($14+$15)/100}' /proc/$(cat ${EXPORTER_PID_FILE})/stat`);
const residentMebibytes = () => number(dom0, `awk '/VmRSS/ {print $2/1024}' /proc/$(cat ${EXPORTER_PID_FILE})/status`);

async function measure(isScraped: boolean): Promise<Window> {
  const begin = performance.now();
  const before = [await dom0Seconds(), await passiveOpens(), isScraped ? await exporterSeconds() : 0] as const;
  let scrapes = 0;
  while (performance.now() - begin < WINDOW_SECONDS * 1000) {
    const next = begin + (scrapes + 1) * SCRAPE_INTERVAL_SECONDS * 1000;
    if (isScraped) await metricsOf(dom0);
    scrapes += 1;
    await delay(Math.max(0, next - performance.now()));
  }
  const after = [await dom0Seconds(), await passiveOpens(), isScraped ? await exporterSeconds() : 0] as const;
  const seconds = (performance.now() - begin) / 1000;
  const cpu = after[2] - before[2];
  return {
    dom0Cpu: (after[0] - before[0]) / seconds,
    accepts: (after[1] - before[1]) / seconds,
    exporter: isScraped
      ? { cpu: cpu / seconds, perScrape: cpu / scrapes, residentMebibytes: await residentMebibytes() }
      : undefined,
  };
}

const results: Record<'idle' | 'load', Record<'without' | 'with', Window[]>> = {
  idle: { without: [], with: [] },
  load: { without: [], with: [] },
};

await server.run('pgrep -x nginx >/dev/null || nginx');
for (let round = 0; round < ROUNDS; round += 1) {
  for (const state of ['without', 'with'] as const) {
    if (state === 'without') await stopExporter(dom0);
    else await startExporter(dom0);
    const isScraped = state === 'with';
    // Excludes its start from the measurement.
    if (isScraped) for (let i = 0; i < 5; i += 1) await metricsOf(dom0);
    results.idle[state].push(await measure(isScraped));
    results.load[state].push(await underLoad(lab, server, () => measure(isScraped)));
    console.error(`round ${round + 1} of ${ROUNDS}, ${state}`);
  }
}

const of = (load: 'idle' | 'load', state: 'without' | 'with', what: (window: Window) => number): number =>
  quantile(results[load][state].map(what), 0.5);
const line = (title: string, load: 'idle' | 'load', what: (window: Window) => number): void => {
  const [without, having] = [of(load, 'without', what), of(load, 'with', what)];
  const range = (state: 'without' | 'with') => results[load][state].map((each) => what(each).toPrecision(3)).join(' ');
  console.log(
    `${title.padEnd(44)} without ${without.toPrecision(3)} (${range('without')}), with ${having.toPrecision(3)} (${range('with')}), ratio ${(having / without).toFixed(3)}`,
  );
};
line('CPUs that Dom0 uses, guests idle', 'idle', ({ dom0Cpu }) => dom0Cpu);
line('CPUs that Dom0 uses, one guest under load', 'load', ({ dom0Cpu }) => dom0Cpu);
line('connections per second that it accepts', 'load', ({ accepts }) => accepts);
for (const load of ['idle', 'load'] as const) {
  const own = (what: (exporter: NonNullable<Window['exporter']>) => number): string =>
    of(load, 'with', ({ exporter }) => what(exporter!)).toPrecision(3);
  console.log(
    `exporter, ${load}: ${own(({ cpu }) => cpu)} CPUs, ${own(({ perScrape }) => perScrape)} CPU seconds per scrape with all that it does in between, ${own(({ residentMebibytes }) => residentMebibytes)} MiB`,
  );
}
