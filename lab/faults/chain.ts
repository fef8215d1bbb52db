import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { startAlertmanager, type Alertmanager } from '../../tools/lib/alertmanager.ts';
import { startPrometheus, type Prometheus } from '../../tools/lib/prometheus.ts';
import { scaledRuleFile } from '../../tools/lib/time-scale.ts';
import { installExporter, packExporter } from '../harness/exporter.ts';
import { EXPORTER_PORT, roleOf, type Lab } from '../harness/lab.ts';
import type { RuleClock } from './rule-clock.ts';
import { project } from '../../tools/lib/project.ts';

/**
 * The rules see xl as if it ran every half minute. With 5 s a window of the fastest clock would contain four readings.
 */
const dom0Settings = ({ scrapeIntervalSeconds }: RuleClock): Readonly<Record<string, unknown>> => ({
  'toolstack.interval': scrapeIntervalSeconds,
  'toolstack.schedule': '*/15 * * * * *',
});
/**
 * At the fastest clock some ten samples per minute of rules' time: under emulation a sample costs 10 ms, and the
 * default budget allows two.
 */
const guestSettings = { 'collector.listeners.sampler-cpu-budget': 0.03 };

/**
 * The chain from the lab's exporters to a person: Prometheus with the shipped rules, and Alertmanager with its example
 * configuration.
 */
export class Chain implements AsyncDisposable {
  readonly prometheus: Prometheus;
  readonly alertmanager: Alertmanager;
  readonly clock: RuleClock;
  readonly #folder: string;

  private constructor(prometheus: Prometheus, alertmanager: Alertmanager, clock: RuleClock, folder: string) {
    this.prometheus = prometheus;
    this.alertmanager = alertmanager;
    this.clock = clock;
    this.#folder = folder;
  }

  static async start(lab: Lab, clock: RuleClock): Promise<Chain> {
    const archive = await packExporter();
    for (const machine of lab.machines) {
      await installExporter(machine, archive, { settings: machine === lab.dom0 ? dom0Settings(clock) : guestSettings });
    }
    const folder = mkdtempSync(join(tmpdir(), 'chain-'));
    const rules = join(folder, 'rules.yml');
    writeFileSync(rules, scaledRuleFile(clock.scale, clock.scrapeIntervalSeconds));
    const config = join(project, 'alertmanager/alertmanager.yml');
    const alertmanager = await startAlertmanager(config, clock.scale);
    const prometheus = await startPrometheus({
      scrapeIntervalSeconds: clock.scrapeIntervalSeconds,
      evaluationIntervalSeconds: clock.evaluationIntervalSeconds,
      scrapeConfigs: [
        {
          job_name: defaultPackOptions.job,
          static_configs: lab.machines.map(({ name, exporterPort }) => ({
            targets: [`127.0.0.1:${exporterPort}`],
            labels: { instance: `${name}:${EXPORTER_PORT}`, xen_role: roleOf(name) },
          })),
        },
      ],
      // Prometheus repeats resolved alerts for a quarter of an hour (rules/alerting.go), which is hours of rules' time:
      // the guest's next trouble would repeat it. With this delay it sends them once.
      flags: ['--rules.alert.resend-delay=15m'],
      extraConfig: {
        rule_files: [rules],
        alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
      },
    });
    return new Chain(prometheus, alertmanager, clock, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prometheus[Symbol.asyncDispose]();
    await this.alertmanager[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}
