// npm run bench:rules -- [--hosts=500] [--guests=20] [--interval=15]
// What the rules cost a Prometheus that watches a fleet: it scrapes generated hosts and guests, whose pages are made from captured ones, for as
// long as the rules look back, and then says how long each group of the shipped rules takes.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultPackOptions, rulePack } from '../src/pack/pack.ts';
import { startPrometheus } from '../tools/lib/prometheus.ts';
import { until } from '../tools/lib/until.ts';
import { project } from '../tools/lib/project.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '500' },
    guests: { type: 'string', default: '20' },
    interval: { type: 'string', default: '15' },
  },
});
const hosts = Number(values.hosts);
const guestsPerHost = Number(values.guests);
const intervalSeconds = Number(values.interval);
// A little more than the rules look back.
const warmUpSeconds = 330;
const rounds = 3;

interface Line {
  name: string;
  labels: string;
  value: number;
  isCounter: boolean;
}

const groups = rulePack(defaultPackOptions);
const used = new Set(JSON.stringify(groups).match(/\bxen_\w+/g));

const linesOf = (page: string): Line[] =>
  readFileSync(join(project, `test/fixtures/golden/${page}.prom`), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      return used.has(name) ? [{ name, labels, value: Number(value), isCounter: /_total$/.test(name) }] : [];
    });

/** What netlink adds to listeners that were captured from /proc. */
const listenerLines = (listeners: readonly string[]): Line[] =>
  listeners.flatMap((labels) => [
    { name: 'xen_listener_accept_queue_limit', labels, value: 4096, isCounter: false },
    { name: 'xen_listener_accept_queue_full_seconds_total', labels, value: 0, isCounter: true },
    ...['0.0', '0.25', '0.5', '0.75', '0.9', '1.0', '+Inf'].map((le) => ({
      name: 'xen_listener_accept_queue_fill_ratio_bucket',
      labels: `${labels},le="${le}"`,
      value: 1000,
      isCounter: true,
    })),
    { name: 'xen_listener_accept_queue_fill_ratio_count', labels, value: 1000, isCounter: true },
  ]);

/** Captured series of a guest, of its domain and of its host. */
const captured = (state: 'idle' | 'storm'): { guest: Line[]; domain: Line[]; host: Line[] } => {
  const guest = linesOf(`pv-${state}`);
  const host = linesOf(`credit-${state}`);
  const ofDomain = (domain: string): Line[] => host.filter(({ labels }) => labels.includes(`domain="${domain}"`));
  const listeners = guest.filter(({ name }) => name === 'xen_listener_accept_queue_dequeued_total');
  return {
    guest: [
      // What was stolen while the idle guest booted is not as if it were idle.
      ...guest.map((line) => (state === 'idle' && line.labels.includes('"steal"') ? { ...line, value: 1 } : line)),
      ...listenerLines(listeners.map(({ labels }) => labels)),
    ],
    domain: [
      ...ofDomain('domu1'),
      { name: 'xen_domain_grant_frames', labels: 'domain="domu1"', value: 10, isCounter: false },
      { name: 'xen_domain_grant_frames_limit', labels: 'domain="domu1"', value: 64, isCounter: false },
      {
        name: 'xen_backend_eoi_delay_seconds_total',
        labels: 'domain="domu1",class="vif",device="0"',
        value: 0,
        isCounter: true,
      },
    ],
    host: [...host.filter(({ labels }) => !labels.includes('domain="')), ...ofDomain('Domain-0')],
  };
};
const states = { idle: captured('idle'), storm: captured('storm') };
/** One guest in a hundred suffers. */
const stateOf = (guest: number): 'idle' | 'storm' => (guest % 100 === 0 ? 'storm' : 'idle');

const collectors = (count: number): Line[] =>
  Array.from({ length: count }, (_, index) =>
    ['success', 'available'].map((what) => ({
      name: `xen_exporter_collector_${what}`,
      labels: `collector="c${index}"`,
      value: 1,
      isCounter: false,
    })),
  ).flat();

/** A line of a page up to its value, and what the value begins with and grows by in a second. */
interface Series {
  prefix: string;
  value: number;
  perSecond: number;
}

let seed = 1;
/** Not random: the same fleet every time. */
const next = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;

const seriesOf = (instance: string, lines: readonly Line[], rename: (labels: string) => string): Series[] => {
  // All counters of a machine grow as fast, or its ratios would be anybody's.
  const growth = next() / 600;
  return lines.map(({ name, labels, value, isCounter }) => ({
    prefix: `${name}{${[`job="xen",instance="${instance}"`, rename(labels)].filter(Boolean).join(',')}} `,
    value,
    perSecond: isCounter ? value * growth : 0,
  }));
};

const uuidOf = (host: number, guest: number): string =>
  `00000001-${String(host).padStart(4, '0')}-4000-8000-${String(guest).padStart(12, '0')}`;

/** One host with its guests: a target. */
const pageOf = (host: number): Series[] => {
  const guests = Array.from({ length: guestsPerHost }, (_, guest) => guest);
  const identified = (guest: number) => (labels: string) =>
    labels.replace('domu1', `guest${guest}`).replace(/uuid="[^"]*"/, `uuid="${uuidOf(host, guest)}"`);
  return [
    ...seriesOf(`dom0-${host}:28697`, [...states.idle.host, ...collectors(17)], (labels) => labels),
    ...guests.flatMap((guest) =>
      seriesOf(`dom0-${host}:28697`, states[stateOf(host * guestsPerHost + guest)].domain, identified(guest)),
    ),
    ...guests.flatMap((guest) =>
      seriesOf(
        `guest-${host}-${guest}:28697`,
        [...states[stateOf(host * guestsPerHost + guest)].guest, ...collectors(7)],
        identified(guest),
      ),
    ),
  ];
};

const pages = Array.from({ length: hosts }, (_, host) => pageOf(host));
const seriesCount = pages.reduce((sum, page) => sum + page.length, 0);
const begin = Date.now();
const server = createServer((request, response) => {
  const seconds = (Date.now() - begin) / 1000;
  const page = pages[Number(request.url!.slice(1))]!;
  let text = '';
  for (const { prefix, value, perSecond } of page) text += `${prefix}${value + perSecond * seconds}\n`;
  response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(text);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;

const folder = mkdtempSync(join(tmpdir(), 'bench-rules-'));
try {
  const rules = join(folder, 'rules.yml');
  writeFileSync(rules, JSON.stringify({ groups }));
  await using prometheus = await startPrometheus({
    scrapeIntervalSeconds: intervalSeconds,
    scrapeConfigs: [
      {
        job_name: 'fleet',
        honor_labels: true,
        static_configs: pages.map((_, host) => ({ targets: [target], labels: { __metrics_path__: `/${host}` } })),
      },
    ],
    extraConfig: { rule_files: [rules] },
  });
  const metric = async (name: string, label: string): Promise<Map<string, number>> => {
    const text = await (await fetch(`${prometheus.url}/metrics`)).text();
    const lines = text.matchAll(new RegExp(`^${name}\\{.*?${label}="([^"]*)".*\\} (\\S+)$`, 'gm'));
    return new Map([...lines].map(([, key, value]) => [key!.split(';').at(-1)!, Number(value)]));
  };
  const ready = Date.now() + warmUpSeconds * 1000;
  await until('the window of the rules to be full', () => Date.now() > ready, {
    timeoutMs: (warmUpSeconds + 60) * 1000,
    intervalMs: 1000,
  });
  const seconds = new Map<string, number[]>();
  for (let round = 0, last = ''; round < rounds; round += 1) {
    const at = await until(
      'another evaluation',
      async () => {
        const times = await metric('prometheus_rule_group_last_evaluation_timestamp_seconds', 'rule_group');
        const text = JSON.stringify([...times]);
        return text === last ? undefined : text;
      },
      { timeoutMs: 10 * intervalSeconds * 1000, intervalMs: 500 },
    );
    last = at;
    for (const [group, value] of await metric('prometheus_rule_group_last_duration_seconds', 'rule_group'))
      seconds.set(group, [...(seconds.get(group) ?? []), value]);
  }
  const [recorded] = await prometheus.query('count({__name__=~"(uuid|instance).*:.*"})');
  const [firing] = await prometheus.query('count(ALERTS{alertstate="firing"}) or vector(0)');
  process.stdout.write(
    `${hosts} hosts with ${guestsPerHost} guests each, ${seriesCount} series scraped every ${intervalSeconds} s, ${recorded?.value} recorded, ${firing?.value} alerts; ${availableParallelism()} cores\n`,
  );
  const middle = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
  for (const [group, all] of seconds)
    process.stdout.write(
      `${group}: ${middle(all).toFixed(3)} s an evaluation (median of ${all.length}; most ${Math.max(...all).toFixed(3)} s)\n`,
    );
  const { data } = (await (await fetch(`${prometheus.url}/api/v1/rules`)).json()) as {
    data: { groups: { rules: { name: string; evaluationTime: number; lastError?: string }[] }[] };
  };
  const slowest = data.groups.flatMap((group) => group.rules).toSorted((a, b) => b.evaluationTime - a.evaluationTime);
  for (const { name, evaluationTime, lastError } of slowest.slice(0, 15))
    process.stdout.write(`  ${evaluationTime.toFixed(3)} s ${name}${lastError ? ` ${lastError}` : ''}\n`);
  // What no form of these rules could go below: each counter read and rated once, neither joined nor recorded.
  const rates = new Set(JSON.stringify(groups).match(/rate\(xen_\w+\{(?:[^}"]|\\"[^"]*\\")*\}\[\w+\]\)/g));
  let floorSeconds = 0;
  let ratedSeries = 0;
  for (const rate of rates) {
    const start = performance.now();
    const [counted] = await prometheus.query(`count(${JSON.parse(`"${rate}"`)})`);
    floorSeconds += (performance.now() - start) / 1000;
    ratedSeries += counted?.value ?? 0;
  }
  process.stdout.write(
    `the ${rates.size} rates of the rules alone, each of them once: ${floorSeconds.toFixed(3)} s for ${ratedSeries} series\n`,
  );
} finally {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
}
