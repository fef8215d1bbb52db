import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { startAlertmanager, type Alertmanager } from '../support/alertmanager.ts';
import { startPrometheus, type Prometheus } from '../support/prometheus.ts';
import { scaledRuleFile } from '../support/time-scale.ts';
import { installExporter, packExporter } from './exporter.ts';
import { EXPORTER_PORT, type Lab } from './lab.ts';

/** An hour is four minutes. The rules' windows, offsets and waits and Alertmanager's, nothing else. */
export const TIME_SCALE = 1 / 15;
/** Half a minute for the rules. */
export const SCRAPE_INTERVAL_SECONDS = 2;
/** A quarter of a minute for the rules. */
const EVALUATION_INTERVAL_SECONDS = 1;
/** The rules see xl as often as they would if it were asked every half minute; 5 s would be four looks in a window. */
const dom0Flags = '--toolstack.interval=2 "--toolstack.schedule=*/15 * * * * *"';
/** Some ten samples in a minute of the rules: under emulation one costs 10 ms, and within the default budget there would be two. */
const guestFlags = '--collector.listeners.sampler-cpu-budget=0.03';

/** Milliseconds of the lab that are so many minutes for the rules. */
export const minutes = (count: number): number => count * 60_000 * TIME_SCALE;

/** From the exporters in a lab to what a person is told: Prometheus with the shipped rules, and Alertmanager as in its example. */
export class Chain implements AsyncDisposable {
  readonly prometheus: Prometheus;
  readonly alertmanager: Alertmanager;
  readonly #folder: string;

  private constructor(prometheus: Prometheus, alertmanager: Alertmanager, folder: string) {
    this.prometheus = prometheus;
    this.alertmanager = alertmanager;
    this.#folder = folder;
  }

  static async start(lab: Lab): Promise<Chain> {
    const archive = await packExporter();
    for (const machine of lab.machines) {
      await installExporter(machine, archive, machine === lab.dom0 ? dom0Flags : guestFlags);
    }
    const folder = mkdtempSync(join(tmpdir(), 'chain-'));
    const rules = join(folder, 'rules.yml');
    writeFileSync(rules, scaledRuleFile(TIME_SCALE));
    const config = resolve(import.meta.dirname, '../../alertmanager/alertmanager.yml');
    const alertmanager = await startAlertmanager(config, TIME_SCALE);
    const prometheus = await startPrometheus({
      scrapeIntervalSeconds: SCRAPE_INTERVAL_SECONDS,
      evaluationIntervalSeconds: EVALUATION_INTERVAL_SECONDS,
      scrapeConfigs: [
        {
          job_name: defaultPackOptions.job,
          static_configs: lab.machines.map(({ name, exporterPort }) => ({
            targets: [`127.0.0.1:${exporterPort}`],
            labels: { instance: `${name}:${EXPORTER_PORT}` },
          })),
        },
      ],
      // Prometheus tells for a quarter of an hour that an alert is over (rules/alerting.go), which is hours for the rules: it would be told again with
      // the next trouble of the guest. So late it tells once.
      flags: ['--rules.alert.resend-delay=15m'],
      extraConfig: {
        rule_files: [rules],
        alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
      },
    });
    return new Chain(prometheus, alertmanager, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prometheus[Symbol.asyncDispose]();
    await this.alertmanager[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}
