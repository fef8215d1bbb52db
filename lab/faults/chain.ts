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

/** The rules see xl as often as they would if it were asked every half minute; 5 s would be four looks in a window of the fastest clock. */
const dom0Settings = ({ scrapeIntervalSeconds }: RuleClock): Readonly<Record<string, unknown>> => ({
  'toolstack.interval': scrapeIntervalSeconds,
  'toolstack.schedule': '*/15 * * * * *',
});
/** By the fastest clock some ten samples in a minute of the rules: under emulation one costs 10 ms, and within the default budget there would be two. */
const guestSettings = { 'collector.listeners.sampler-cpu-budget': 0.03 };

/** From the exporters in a lab to what a person is told: Prometheus with the shipped rules, and Alertmanager as in its example. */
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
      // Prometheus tells for a quarter of an hour that an alert is over (rules/alerting.go), which is hours for the rules: it would be told again with
      // the next trouble of the guest. So late it tells once.
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
