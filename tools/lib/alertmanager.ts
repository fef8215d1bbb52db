import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { exitOf, kill, stderrOf } from './child.ts';
import { asInstalled, debianTool } from './debian.ts';
import { freePort } from './free-port.ts';
import { scaled } from './time-scale.ts';
import { until } from './until.ts';

/** A notification to a webhook. */
export interface Notification {
  /** Last part of the receiver's URL. */
  receiver: string;
  status: 'firing' | 'resolved';
  /** Unix time in ms. */
  receivedAt: number;
  groupLabels: Record<string, string>;
  alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}

/** A request to a service's API, such as Slack's. */
export interface ServiceRequest {
  /** Path of the URL. */
  path: string;
  body: unknown;
}

/** An alert as Prometheus sends it. */
export interface PostedAlert {
  labels: Record<string, string>;
  annotations?: Record<string, string>;
  generatorURL?: string;
  /** ISO 8601; default: now. */
  startsAt?: string;
  /** Default: the alert fires. */
  endsAt?: string;
}

export interface Alertmanager extends AsyncDisposable {
  /** Listening address, HOST:PORT. */
  address: string;
  /** Notifications to webhooks of the config file, without the constant watchdog. */
  notifications: readonly Notification[];
  /** Notifications to the receiver `watchdog`. */
  watchdog: readonly Notification[];
  /** All other requests. */
  requests: readonly ServiceRequest[];
  /** Posts firing alerts, as Prometheus does. */
  post(alerts: readonly PostedAlert[]): Promise<void>;
  /** Labels of the alerts that it mutes. */
  suppressed(): Promise<Record<string, string>[]>;
}

const isNotification = (sent: object): sent is Omit<Notification, 'receiver' | 'receivedAt'> => 'groupLabels' in sent;

/**
 * Starts a real Alertmanager on loopback with a config file. Its webhooks, and other addresses of the form
 * http://127.0.0.1:PORT, lead here. Waits longer than a second become a second, or are multiplied by `timeScale`.
 */
export async function startAlertmanager(configFile: string, timeScale?: number): Promise<Alertmanager> {
  const { path, env } = await debianTool('alertmanager');
  const folder = await mkdtemp(join(tmpdir(), 'alertmanager-'));
  const notifications: Notification[] = [];
  const watchdog: Notification[] = [];
  const requests: ServiceRequest[] = [];
  const webhook = createServer(async (request, response) => {
    const sent = JSON.parse(await text(request)) as object;
    const path = request.url!.slice(1);
    const all = path === 'watchdog' ? watchdog : notifications;
    if (isNotification(sent)) all.push({ ...sent, receiver: path, receivedAt: Date.now() });
    else requests.push({ path, body: sent });
    // Like Slack's webhooks.
    response.end('ok');
  }).listen(0, '127.0.0.1');
  await once(webhook, 'listening');
  const { port } = webhook.address() as AddressInfo;

  await cp(dirname(configFile), folder, { recursive: true });
  const config = (await readFile(configFile, 'utf8'))
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, `http://127.0.0.1:${port}`)
    .replaceAll(
      /(group_wait|group_interval): (\w+)/g,
      (_, what: string, wait: string) => `${what}: ${timeScale === undefined ? '1s' : scaled(wait, timeScale)}`,
    );
  await writeFile(join(folder, 'config.yml'), config);
  const address = `127.0.0.1:${await freePort()}`;
  // Debian's looks for its own template in /usr/share.
  const [program, ...first] = asInstalled(path);
  const child = spawn(
    program!,
    [
      ...first,
      `--config.file=${join(folder, 'config.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
    ],
    { env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = exitOf(child);
  const log = stderrOf(child);
  const url = `http://${address}`;
  const dispose = async (): Promise<void> => {
    await kill(child, exited);
    webhook.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await once(child, 'spawn');
    await until('Alertmanager ready', async () => {
      if (child.exitCode !== null) throw new Error(`Alertmanager did not start:\n${log()}`);
      return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok;
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    address,
    notifications,
    watchdog,
    requests,
    async post(alerts) {
      const response = await fetch(`${url}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(alerts),
      });
      if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`);
    },
    async suppressed() {
      const alerts = (await (await fetch(`${url}/api/v2/alerts?silenced=true&inhibited=true`)).json()) as {
        labels: Record<string, string>;
        status: { state: string };
      }[];
      return alerts.filter(({ status }) => status.state === 'suppressed').map(({ labels }) => labels);
    },
    [Symbol.asyncDispose]: dispose,
  };
}
