import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defaultPort } from '../../src/config/global-options.ts';
import { programIn } from '../../src/host/commands.ts';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { startAlertmanager, type Alertmanager } from '../lib/alertmanager.ts';
import type { Daemon } from '../lib/daemon.ts';
import { prepareTools } from '../lib/debian.ts';
import { project } from '../lib/project.ts';
import { startPrometheus, type Prometheus } from '../lib/prometheus.ts';
import { scaledRuleFile } from '../lib/time-scale.ts';
import { writeAlertmanagerConfig } from './alertmanager-config.ts';
import type { Opened } from './opened.ts';

const scrapeIntervalSeconds = 1;
const runbookUrl = `${pathToFileURL(join(project, 'runbooks')).href}/`;

/** An exporter under the name that notifications give to its machine. */
export interface Exporter {
  name: string;
  daemon: Daemon;
}

/** Prometheus with the shipped rules, and Alertmanager with the shipped routes and texts. */
export interface Chain {
  prometheus: Prometheus;
  alertmanager: Alertmanager;
}

/** The parts of the chain. */
export interface ChainOptions {
  /** For configuration files. */
  folder: string;
  /** All windows and waits are so many times shorter than shipped. */
  speed: number;
  host: Exporter;
  guest: Exporter;
}

const needed = ['apt-get', 'dpkg', 'unshare'];

/** Programs that download, unpack and start Debian's Prometheus and Alertmanager, and that are not on the PATH. */
export const missingPrograms = (): string[] => {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return needed.filter((name) => programIn(folders, name) === undefined);
};

const targetOf = ({ name, daemon }: Exporter, role: 'host' | 'guest'): object => ({
  targets: [`127.0.0.1:${daemon.port}`],
  labels: { instance: `${name}:${defaultPort}`, xen_role: role },
});

/** Starts both programs, which `opened` ends. */
export const startChain = async ({ folder, speed, host, guest }: ChainOptions, opened: Opened): Promise<Chain> => {
  await prepareTools(['prometheus', 'alertmanager']);
  const rules = join(folder, 'rules.yml');
  writeFileSync(rules, scaledRuleFile(1 / speed, scrapeIntervalSeconds, { runbookUrl }));
  const alertmanager = opened.add(await startAlertmanager(writeAlertmanagerConfig(folder), 1 / speed));
  const prometheus = opened.add(
    await startPrometheus({
      scrapeConfigs: [
        { job_name: defaultPackOptions.job, static_configs: [targetOf(host, 'host'), targetOf(guest, 'guest')] },
      ],
      scrapeIntervalSeconds,
      webPages: true,
      extraConfig: {
        rule_files: [rules],
        alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
      },
    }),
  );
  return { prometheus, alertmanager };
};
