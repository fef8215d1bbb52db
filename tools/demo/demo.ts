// npm run demo [-- --exporters-only]: a storm on a captured host and guest, up to the notification that an engineer receives.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startAlertmanager, type Alertmanager, type ServiceRequest } from '../lib/alertmanager.ts';
import { startDaemon, type Daemon } from '../lib/daemon.ts';
import { project } from '../lib/project.ts';
import { startPrometheus, type Prometheus } from '../lib/prometheus.ts';
import { StormReplay } from '../lib/storm-replay.ts';
import { scaledRuleFile } from '../lib/time-scale.ts';
import { until } from '../lib/until.ts';
import { writeAlertmanagerConfig } from './alertmanager-config.ts';

/** Five minutes of the rules take ten seconds. */
const speed = 30;
const scrapeIntervalSeconds = 1;
const pageTimeoutMs = 180_000;
const guest = 'domu1';

const { values } = parseArgs({ options: { 'exporters-only': { type: 'boolean', default: false } } });

const began = performance.now();
const tell = (text: string): void => {
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`+${seconds} s`.padEnd(8) + text.trimEnd().replaceAll('\n', `\n${' '.repeat(8)}`));
};

const stop = new AbortController();
const stopped = once(stop.signal, 'abort');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const runbookUrl = `${pathToFileURL(join(project, 'runbooks')).href}/`;

/** Prometheus with the shipped rules, and Alertmanager with the shipped routes and texts. */
class Chain implements AsyncDisposable {
  readonly prometheus: Prometheus;
  readonly alertmanager: Alertmanager;

  private constructor(prometheus: Prometheus, alertmanager: Alertmanager) {
    this.prometheus = prometheus;
    this.alertmanager = alertmanager;
  }

  static async start(folder: string, dom0: Daemon, domu: Daemon): Promise<Chain> {
    const rules = join(folder, 'rules.yml');
    writeFileSync(rules, scaledRuleFile(1 / speed, scrapeIntervalSeconds, { runbookUrl }));
    const alertmanager = await startAlertmanager(writeAlertmanagerConfig(folder));
    try {
      const prometheus = await startPrometheus({
        hosts: [`127.0.0.1:${dom0.port}`],
        targets: [`127.0.0.1:${domu.port}`],
        scrapeIntervalSeconds,
        extraConfig: {
          rule_files: [rules],
          alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
        },
      });
      return new Chain(prometheus, alertmanager);
    } catch (error) {
      await alertmanager[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prometheus[Symbol.asyncDispose]();
    await this.alertmanager[Symbol.asyncDispose]();
  }
}

/** A message to Slack as a reader sees it. */
const messageText = ({ body }: ServiceRequest): string => {
  const { attachments } = body as { attachments: { title: string; text: string }[] };
  return attachments.map(({ title, text }) => `${title}\n${text}`).join('\n');
};

const frame = (text: string): string => `${'-'.repeat(72)}\n${text}\n${'-'.repeat(72)}`;

/** Waits for what comes first: the condition, or the end of the demo, which is undefined. */
const orStopped = <T>(what: string, condition: () => T | Promise<T>) =>
  until(what, async () => (stop.signal.aborted ? 'stopped' : await condition()), { timeoutMs: pageTimeoutMs });

const watchPages = async ({ prometheus, alertmanager }: Chain, replay: StormReplay): Promise<void> => {
  tell(`Prometheus   ${prometheus.url}/alerts   (Debian's; windows and waits ${speed} times as fast)`);
  tell(`Alertmanager http://${alertmanager.address}`);
  const joined = `uuid:xen_guest_identity:info{domain="${guest}"} and on (uuid) uuid:xen_accepts:rate5m`;
  await orStopped('host and guest to be joined', async () => (await prometheus.query(joined)).length > 0);
  if (stop.signal.aborted) return;
  replay.begin();
  tell(`A storm of connections reaches ${guest}. The rules wait for it to last, then the page comes ...`);
  const first = await orStopped('the page', () => alertmanager.requests[0]);
  if (first === 'stopped') return;
  tell(`The page, as Slack would show it:\n${frame(messageText(first))}`);
  tell(`The runbook of each alert is in ${join(project, 'runbooks')}`);
};

const run = async (folder: string): Promise<void> => {
  tell('Files of a Dom0 and a guest, captured idle and in a storm on Xen 4.17, stand in for a Xen host.');
  using replay = new StormReplay();
  await using dom0 = await startDaemon({ args: replay.flags.dom0 });
  await using domu = await startDaemon({ args: replay.flags.guest });
  tell(`Exporter of Dom0   ${dom0.url}/   metrics at ${dom0.url}/metrics`);
  tell(`Exporter of ${guest}  ${domu.url}/   metrics at ${domu.url}/metrics`);
  const chain = values['exporters-only']
    ? undefined
    : await Chain.start(folder, dom0, domu).catch((error: Error) => {
        tell(`No page will come, because Debian's Prometheus and Alertmanager cannot start here: ${error.message}`);
        return undefined;
      });
  try {
    if (chain) await watchPages(chain, replay);
    else replay.begin();
    if (!stop.signal.aborted) {
      tell('The storm goes on until Ctrl-C.');
      await stopped;
    }
  } finally {
    await chain?.[Symbol.asyncDispose]();
  }
};

const folder = mkdtempSync(join(tmpdir(), 'xen-exporter-demo-'));
try {
  await run(folder);
} finally {
  rmSync(folder, { recursive: true });
}
