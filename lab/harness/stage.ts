import { afterAll, beforeAll } from 'vitest';
import { startPrometheus, type Prometheus } from '../../tools/lib/prometheus.ts';
import { until } from '../../tools/lib/until.ts';
import { installExporter, metricsOf, packExporter } from './exporter.ts';
import { Lab, roleOf, type GuestName } from './lab.ts';
import { SCHEDULER_NAMES, USUAL_CPUS, type InitName, type SchedulerName, type Threads } from './qemu.ts';
import { Snapshot } from './snapshot.ts';
import { tell } from './tell.ts';

const LIFETIME_SECONDS = 7200;
const SCRAPE_INTERVAL_SECONDS = 5;
const BOOT_TIMEOUT_MS = 1_200_000;

/** Whether to run the full tests, with a guest that has a device model and with the faults. */
export const isFullForm = process.env['XEN_LAB_FULL'] === '1';

/** Whether to use the lab that a contributor has started. */
const isOnRunningLab = process.env['XEN_LAB_RUNNING'] === '1';

/** A lab with an exporter in each machine, and an external Prometheus that scrapes them with the label `machine`. */
export class Stage {
  readonly lab: Lab;
  readonly prometheus: Prometheus;

  private constructor(lab: Lab, prometheus: Prometheus) {
    this.lab = lab;
    this.prometheus = prometheus;
  }

  /** `prepare` runs before the exporters are started. */
  static async set(lab: Lab, prepare: (lab: Lab) => Promise<void>): Promise<Stage> {
    await prepare(lab);
    const archive = await packExporter();
    // In sequence: on two cores it is faster.
    for (const machine of lab.machines) await installExporter(machine, archive);
    const prometheus = await startPrometheus({
      scrapeIntervalSeconds: SCRAPE_INTERVAL_SECONDS,
      scrapeConfigs: [
        {
          job_name: 'xen',
          static_configs: lab.machines.map(({ name, exporterPort }) => ({
            targets: [`127.0.0.1:${exporterPort}`],
            labels: { machine: name, xen_role: roleOf(name) },
          })),
        },
      ],
    });
    return new Stage(lab, prometheus);
  }

  /** Value of an instant vector with one series; undefined if it is empty. */
  async number(promql: string): Promise<number | undefined> {
    const results = await this.prometheus.query(promql);
    if (results.length > 1) throw new Error(`${promql} has ${results.length} series`);
    return results[0]?.value;
  }

  /**
   * Labels of an instant vector's series, once it has this many. A scrape lost by a slow machine removes its series
   * until the next.
   */
  series(promql: string, count: number): Promise<readonly Readonly<Record<string, string>>[]> {
    return until(
      `${count} series of ${promql}`,
      async () => {
        const results = await this.prometheus.query(promql);
        return results.length === count && results.map(({ metric }) => metric);
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    );
  }

  /** Waits until Prometheus has scraped every machine for this time from now on. */
  async scrapedFor(seconds: number): Promise<void> {
    const begin = Date.now() / 1000;
    // A rate needs samples from the start of its window to its end.
    const all = `count(timestamp(up) >= ${begin + seconds}) == ${this.lab.machines.length}`;
    await until(`${seconds} s of scrapes`, async () => (await this.prometheus.query(all)).length > 0, {
      timeoutMs: (seconds + 60) * 1000,
      intervalMs: 500,
    });
  }

  /**
   * Reads the host's tools, waits until Prometheus has scraped every machine with newer background readings of xl, and
   * reads the tools again. Counters must lie between both.
   */
  async sandwich<T>(read: () => Promise<T>): Promise<{ before: T; scraped: Snapshot; after: T }> {
    const before = await read();
    const clock = Date.now() / 1000;
    const page = await metricsOf(this.lab.dom0);
    const isNewer = ['xl list -v', 'xl vcpu-list'].map((command) => {
      const runs = page.value('xen_exporter_command_duration_seconds_count', { command }) ?? 0;
      // The next run to end may have begun before the tools were read.
      return `xen_exporter_command_duration_seconds_count{machine="dom0",command="${command}"} >= ${runs + 2}`;
    });
    // A scrape lost by a slow machine leaves no series.
    const isScraped = `count(timestamp(up == 1) > ${clock}) == ${this.lab.machines.length}`;
    await until(
      'scrapes and readings of xl that are newer than those of the tools',
      async () => {
        const answers = await Promise.all([isScraped, ...isNewer].map((condition) => this.prometheus.query(condition)));
        return answers.every((answer) => answer.length > 0);
      },
      { timeoutMs: 180_000, intervalMs: 200 },
    );
    const scraped = new Snapshot(await this.prometheus.query('{machine!=""}'));
    return { before, scraped, after: await read() };
  }
}

/** The kind of lab that a file's tests need. */
interface Wanted {
  scheduler: SchedulerName;
  guests: readonly GuestName[];
  init?: InitName;
  threads?: Threads;
  cpus?: number;
}

/** Schedulers of the labs to boot for tests of every scheduler; for a running lab its own. */
export const testedSchedulers = (): readonly SchedulerName[] => {
  const running = isOnRunningLab ? Lab.running() : undefined;
  return running ? [running.scheduler] : SCHEDULER_NAMES;
};

/**
 * Boots a lab before this file's tests, or finds the running one, and ends it afterwards. The returned function gives
 * the lab.
 */
export function useLab(wanted: Wanted): () => Lab {
  let lab: Lab | undefined;
  beforeAll(async () => {
    const progress = progressOf(wanted.scheduler);
    lab = runningLab(wanted) ?? (await Lab.boot({ ...wanted, lifetimeSeconds: LIFETIME_SECONDS, progress }));
  }, BOOT_TIMEOUT_MS);
  afterAll(async () => {
    if (!isOnRunningLab) await lab?.[Symbol.asyncDispose]();
  });
  return () => lab!;
}

/** Like `useLab`, with a stage. `prepare` runs before the exporters are started. */
export function useStage(wanted: Wanted, prepare: (lab: Lab) => Promise<void> = async () => {}): () => Stage {
  const lab = useLab(wanted);
  let stage: Stage | undefined;
  beforeAll(async () => {
    stage = await Stage.set(lab(), prepare);
    progressOf(wanted.scheduler)('exporters and Prometheus run');
  }, BOOT_TIMEOUT_MS);
  afterAll(() => stage?.prometheus[Symbol.asyncDispose]());
  return () => stage!;
}

const progressOf =
  (scheduler: SchedulerName) =>
  (message: string): void =>
    tell(`${scheduler}: ${message}`);

function runningLab({ scheduler, init = 'busybox', threads = 'multi', cpus = USUAL_CPUS }: Wanted): Lab | undefined {
  if (!isOnRunningLab) return undefined;
  const lab = Lab.running();
  if (lab?.scheduler !== scheduler || lab.init !== init || lab.threads !== threads || lab.cpus !== cpus) {
    const flags = `--scheduler=${scheduler} --init=${init} --threads=${threads} --cpus=${cpus}`;
    throw new Error(`no lab of this kind runs: npm run lab:up -- ${flags}`);
  }
  return lab;
}
