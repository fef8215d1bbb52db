// npm run demo [-- --exporters-only]: a storm on a captured host and guest, up to the page that an engineer receives.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { ServiceRequest } from '../lib/alertmanager.ts';
import { startDaemon } from '../lib/daemon.ts';
import { project } from '../lib/project.ts';
import { StormReplay } from '../lib/storm-replay.ts';
import { until } from '../lib/until.ts';
import { missingPrograms, startChain, type Chain, type Exporter } from './chain.ts';
import { Opened } from './opened.ts';

/** Five minutes of the rules take ten seconds. */
const speed = 30;
const timeoutMs = 180_000;

const { values } = parseArgs({ options: { 'exporters-only': { type: 'boolean', default: false } } });

const began = performance.now();
const indent = ' '.repeat(8);
const textColumns = 100;
const inside = (path: string): string => relative(process.cwd(), join(project, path));

/** Prints a text beside the time. */
const tell = (text: string): void => {
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`+${seconds} s`.padEnd(indent.length) + text.trimEnd().replaceAll('\n', `\n${indent}`));
};

const stop = new AbortController();
const stopped = once(stop.signal, 'abort');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
// The reader of a pipe has gone.
process.stdout.on('error', () => stop.abort());

/** Waits for a condition. Rejects when the demo is ended. */
const wait = <T>(what: string, condition: () => T | Promise<T>) =>
  until(
    what,
    () => {
      stop.signal.throwIfAborted();
      return condition();
    },
    { timeoutMs, intervalMs: 100 },
  );

/** Breaks lines between words. Links stay whole. */
const wrapped = (text: string): string =>
  text.replaceAll(new RegExp(`(?=.{${textColumns + 1}})(.{1,${textColumns}}) `, 'g'), '$1\n');

const textOf = ({ body }: ServiceRequest): string => {
  const { attachments } = body as { attachments: { title: string; text: string }[] };
  return attachments.map(({ title, text }) => `${title}\n\n${wrapped(text).trim()}`).join('\n\n');
};

const framed = (text: string): string => {
  const line = '-'.repeat(textColumns);
  return `${line}\n${text}\n${line}`;
};

const tellExporters = (host: Exporter, guest: Exporter): void => {
  const address = ({ daemon }: Exporter): string => `127.0.0.1:${daemon.port}`;
  tell(
    [
      `Exporter of ${host.name.padEnd(7)}${host.daemon.url}/`,
      `Exporter of ${guest.name.padEnd(7)}${guest.daemon.url}/`,
      'A verdict from these two alone, in another terminal, once the storm has begun:',
      `  node ${inside('dist/main.js')} doctor --host=${address(host)} --guest=${address(guest)}`,
    ].join('\n'),
  );
};

/** Starts Prometheus and Alertmanager. Undefined, with the reason printed, if that cannot be done here. */
const chainOrReason = async (
  folder: string,
  exporters: { host: Exporter; guest: Exporter },
  opened: Opened,
): Promise<Chain | undefined> => {
  const programs = "Debian's Prometheus and Alertmanager";
  const explain = (why: string): void => tell(`No page will come: ${programs} ${why}`);
  const missing = missingPrograms();
  if (missing.length > 0) return void explain(`need ${missing.join(', ')}, which this machine does not have.`);
  tell(`${programs} start. The first run downloads them to .cache/debian.`);
  try {
    return await startChain({ folder, speed, ...exporters }, opened);
  } catch (error) {
    stop.signal.throwIfAborted();
    return void explain(`do not start here.\n${(error as Error).message}`);
  }
};

const storm = 'A storm of connections reaches domu1, whose vCPUs share one physical CPU with another busy guest.';

/** Begins the storm, and shows the page that it causes. */
const showPage = async ({ prometheus, alertmanager }: Chain, replay: StormReplay): Promise<void> => {
  tell(
    [
      `Prometheus         ${prometheus.url}/classic/alerts`,
      `Alertmanager       http://${alertmanager.address}/api/v2/alerts (Debian packages no web pages of Alertmanager)`,
      `The shipped rules and routes, with all windows and waits ${speed} times shorter: 5 minutes take 10 seconds.`,
    ].join('\n'),
  );
  const joined = 'uuid:xen_guest_identity:info{domain="domu1"} and on (uuid) uuid:xen_accepts:rate5m';
  await wait('host and guest to be joined', async () => (await prometheus.query(joined)).length > 0);
  replay.begin();
  tell(storm);
  const page = await wait('the page', () => alertmanager.requests[0]);
  tell(`The page, as Alertmanager sends it:\n${framed(textOf(page))}`);
  tell(`No Grafana runs here, so the dashboard link is dead. Its picture: ${inside('docs/dashboards/xen-guest.png')}`);
};

const run = async (folder: string, opened: Opened): Promise<void> => {
  tell('Files captured on Xen 4.17, idle and in a storm, stand in for a host and its guest.');
  const replay = opened.add(new StormReplay());
  const host = { name: 'dom0', daemon: opened.add(await startDaemon({ args: replay.flags.dom0 })) };
  const guest = { name: 'domu1', daemon: opened.add(await startDaemon({ args: replay.flags.guest })) };
  tellExporters(host, guest);
  const chain = values['exporters-only'] ? undefined : await chainOrReason(folder, { host, guest }, opened);
  if (chain) await showPage(chain, replay);
  else {
    replay.begin();
    tell(storm);
  }
  tell('The storm goes on until Ctrl-C.');
  await stopped;
};

const folder = mkdtempSync(join(tmpdir(), 'xen-exporter-demo-'));
const opened = new Opened(stop.signal);
try {
  await run(folder, opened);
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  await opened.close();
  rmSync(folder, { recursive: true });
}
