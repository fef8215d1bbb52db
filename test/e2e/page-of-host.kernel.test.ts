import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startAlertmanager } from '../../tools/lib/alertmanager.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { startPrometheus } from '../../tools/lib/prometheus.ts';
import { project } from '../../tools/lib/project.ts';
import { scaledRuleFile } from '../../tools/lib/time-scale.ts';
import { until } from '../../tools/lib/until.ts';
import { asGuest, isCounter, ofDom0, ofGuest, ofListener, ofVif, sound, type Series } from '../pack/scenario.ts';

/** Five minutes take twenty seconds: a busy machine must scrape twenty guests and evaluate their rules in time. */
const timeScale = 1 / 15;
/** Evaluations are not scaled, and Alertmanager must wait for all alerts of one evaluation. */
const alertmanagerTimeScale = 1 / 5;
const config = join(project, 'alertmanager/alertmanager.yml');

const guests = Array.from({ length: 20 }, (_, index) => index + 1);
const overflow = {
  ...ofListener({ xen_listener_accept_queue_full_seconds_total: 57 }),
  ...ofGuest({ xen_tcp_listen_overflows_total: 600 }),
};
const starvedDom0 = ofDom0({
  'xen_cpu_seconds_total{cpu="0",mode="steal"}': 30,
  'xen_cpu_seconds_total{cpu="0",mode="idle"}': 0,
});
const netback = ofVif({ 'xen_netback_cpu_seconds_total{}': 0 });
const host = Object.fromEntries(
  Object.entries(sound).filter(([name]) => name.includes('instance="dom0:28697"') && !name.includes('domain="web"')),
);

/** Pages of a host and its guests, whose counters grow with real time. */
class Fleet {
  readonly #totals = new Map<string, number>();
  #growth: Series = {};
  #since = performance.now();

  constructor(growth: Series) {
    this.change(growth);
  }

  /** Changes the growth from now on. */
  change(growth: Series): void {
    for (const name of Object.keys(growth)) this.#totals.set(name, this.#value(name));
    this.#since = performance.now();
    this.#growth = { ...this.#growth, ...growth };
  }

  #value(name: string): number {
    const growth = Number(this.#growth[name] ?? 0);
    if (!isCounter(name)) return growth;
    return (this.#totals.get(name) ?? 0) + (growth * (performance.now() - this.#since)) / 60_000;
  }

  /** The page of this instance's exporter. */
  page(instance: string): string {
    return Object.keys(this.#growth)
      .filter((name) => name.includes(`instance="${instance}"`) && !name.startsWith('up{'))
      .map((name) => {
        const labels = name.replaceAll(/(?<=[{,])(?:job|instance|xen_role)="[^"]*",?/g, '').replace(',}', '}');
        return `${labels} ${this.#value(name)}\n`;
      })
      .join('');
  }
}

test('a Dom0 that starves twenty guests: one page from begin to end, and none of a guest', async () => {
  const fleet = new Fleet({
    ...host,
    ...Object.assign({}, ...guests.map((number) => asGuest(number, { ...sound, ...netback }))),
  });
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(fleet.page(request.url!.slice(1)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = (instance: string, role: string) => ({
    targets: [address],
    labels: { instance, xen_role: role, __metrics_path__: `/${instance}` },
  });
  using folder = new TempTree();
  const rules = folder.path('rules.yml');
  writeFileSync(rules, scaledRuleFile(timeScale, 1));
  await using alertmanager = await startAlertmanager(config, alertmanagerTimeScale);
  await using prometheus = await startPrometheus({
    scrapeIntervalSeconds: 1,
    scrapeConfigs: [
      {
        job_name: 'xen',
        static_configs: [
          target('dom0:28697', 'host'),
          ...guests.map((number) => target(`${number}.web:28697`, 'guest')),
        ],
      },
    ],
    extraConfig: {
      rule_files: [rules],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
    },
  });
  const holds = async (query: string): Promise<boolean> => (await prometheus.query(query)).length > 0;
  await until(
    'a history of sound guests',
    () => holds('count(uuid:xen_guest_identity:info and on (uuid) uuid:xen_accepts:rate5m offset 20s) == 20'),
    { timeoutMs: 60_000 },
  );
  expect(alertmanager.notifications).toEqual([]);

  fleet.change({ ...starvedDom0, ...Object.assign({}, ...guests.map((number) => asGuest(number, overflow))) });
  const page = await until('the page', () => alertmanager.notifications[0], { timeoutMs: 60_000 });
  expect(page.alerts.map(({ labels }) => labels['alertname'])).toEqual(['XenHostHarmsGuests']);
  expect(page.alerts[0]!.annotations).toMatchObject({
    cause: 'XenDom0Starved',
    command: 'xl vcpu-list',
    run_on: 'host dom0',
  });
  const pages = 'ALERTS{alertname="XenAcceptQueueOverflow",alertstate="firing"}';
  await until('all guests to be harmed', () => holds(`count(${pages}) == 20`), { timeoutMs: 60_000 });
  // From the evaluation in which the first of them pages.
  const notMuted = `${pages} unless on (host) ALERTS{alertname="XenHostHarmsGuests",alertstate="firing"}`;
  expect(await prometheus.query(`max_over_time((${notMuted})[2m:100ms])`)).toEqual([]);
  // Long enough for another notification of each group.
  await until('the tickets of causes', () => holds('ALERTS{alertname="XenDom0Starved",alertstate="firing"}'), {
    timeoutMs: 90_000,
  });

  const calm = Object.fromEntries(Object.keys(overflow).map((name) => [name, 0]));
  fleet.change({ ...host, ...Object.assign({}, ...guests.map((number) => asGuest(number, calm))) });
  await until('the end of all pages', () => holds(`absent(${pages})`), { timeoutMs: 90_000 });
  await until('the page to be resolved', () => alertmanager.notifications.find(({ status }) => status === 'resolved'), {
    timeoutMs: 60_000,
  });
  const told = alertmanager.notifications
    .filter(({ receiver }) => receiver === 'page')
    .map(({ status, alerts }) => [status, ...alerts.map(({ labels }) => labels['alertname'])].join(' '));
  expect(told).toEqual(['firing XenHostHarmsGuests', 'resolved XenHostHarmsGuests']);
  server.close();
  server.closeAllConnections();
}, 400_000);
