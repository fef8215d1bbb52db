// Measures the cost of the rules in a Prometheus that watches a fleet. Prometheus scrapes the pages of generated hosts and guests, made from captured
// ones, for as long as the rules look back. The bench then prints the time of each rule group beside the floor: each rate of the rules, read once.
// It also prints the time of each rate read once and summed by guest, which is what rules that record rates by uuid must do at least.
//
//   npm run bench:rules -- [--hosts=100] [--guests=20] [--interval=15] [--old=COMMIT]
//
// With --old, another Prometheus then evaluates the rules of that commit over the same pages.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load } from 'js-yaml';
import { defaultPackOptions, rulePack } from '../src/pack/pack.ts';
import { startPrometheus, type Prometheus } from '../tools/lib/prometheus.ts';
import { until } from '../tools/lib/until.ts';
import { project } from '../tools/lib/project.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '100' },
    guests: { type: 'string', default: '20' },
    interval: { type: 'string', default: '15' },
    old: { type: 'string' },
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

interface Contender {
  readonly name: string;
  /** A rule file. */
  readonly content: string;
}
const contenders: Contender[] = [
  { name: 'new', content: JSON.stringify({ groups: rulePack(defaultPackOptions) }) },
  ...(values.old === undefined
    ? []
    : [
        {
          name: `old (${values.old})`,
          content: JSON.stringify(
            load(
              execFileSync('git', ['show', `${values.old}:rules/xen-exporter.rules.yml`], {
                cwd: project,
                encoding: 'utf8',
                maxBuffer: 1 << 26,
              }),
            ),
          ),
        },
      ]),
];
const used = new Set(contenders.flatMap(({ content }) => content.match(/\bxen_\w+/g) ?? []));

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

/** The series that Prometheus adds for each target. */
const up: Line = { name: 'up', labels: '', value: 1, isCounter: false };

let seed = 1;
/** Not random: the same fleet every time. */
const next = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;

const cpuSecondsName = 'xen_cpu_seconds_total';
const cpuLabel = (labels: string): string => /\bcpu="[^"]*"/.exec(labels)![0];

const seriesOf = (target: string, lines: readonly Line[], rename: (labels: string) => string): Series[] => {
  // All counters of a machine grow as fast, or its ratios would be anybody's; but a CPU has a second of time each second.
  const growth = next() / 600;
  const ofCpu = Map.groupBy(
    lines.filter(({ name }) => name === cpuSecondsName),
    ({ labels }) => cpuLabel(labels),
  );
  const growthOf = ({ name, labels }: Line): number =>
    name === cpuSecondsName ? 1 / ofCpu.get(cpuLabel(labels))!.reduce((sum, { value }) => sum + value, 0) : growth;
  return lines.map((line) => ({
    prefix: `${line.name}{${[target, rename(line.labels)].filter(Boolean).join(',')}} `,
    value: line.value,
    perSecond: line.isCounter ? line.value * growthOf(line) : 0,
  }));
};

const uuidOf = (host: number, guest: number): string =>
  `00000001-${String(host).padStart(4, '0')}-4000-8000-${String(guest).padStart(12, '0')}`;

/** One host with its guests: a target. */
const pageOf = (host: number): Series[] => {
  const guests = Array.from({ length: guestsPerHost }, (_, guest) => guest);
  const identified = (guest: number) => (labels: string) =>
    labels.replace('domu1', `guest${guest}`).replace(/uuid="[^"]*"/, `uuid="${uuidOf(host, guest)}"`);
  const dom0 = `job="xen",instance="dom0-${host}:28697",xen_role="host"`;
  return [
    ...seriesOf(dom0, [up, ...states.idle.host, ...collectors(17)], (labels) => labels),
    ...guests.flatMap((guest) =>
      seriesOf(dom0, states[stateOf(host * guestsPerHost + guest)].domain, identified(guest)),
    ),
    ...guests.flatMap((guest) =>
      seriesOf(
        `job="xen",instance="guest-${host}-${guest}:28697"`,
        [up, ...states[stateOf(host * guestsPerHost + guest)].guest, ...collectors(7)],
        identified(guest),
      ),
    ),
  ];
};

const pages = Array.from({ length: hosts }, (_, host) => pageOf(host));
const seriesCount = pages.reduce((sum, page) => sum + page.length, 0);
const begin = Date.now();
const server = createServer((request, response) => {
  const elapsed = (Date.now() - begin) / 1000;
  const page = pages[Number(request.url!.slice(1))]!;
  let text = '';
  for (const { prefix, value, perSecond } of page) text += `${prefix}${value + perSecond * elapsed}\n`;
  response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(text);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A rate as rules write it, in a JSON text. */
const ratePattern = /rate\(xen_\w+\{(?:[^}"]|\\"[^"]*\\")*\}\[\w+\]\)/g;
const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
const seconds = (value: number): string => `${value.toFixed(3)} s`;

/** The values of a metric of Prometheus about its rule groups, by the name of the group. */
const ofGroups = async ({ url }: Prometheus, name: string): Promise<Map<string, number>> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${name}\\{.*?rule_group="([^"]*)".*\\} (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, key, value]) => [key!.split(';').at(-1)!, Number(value)]));
};

/** CPU time that a Prometheus has used. */
const cpuSeconds = async ({ url }: Prometheus): Promise<number> =>
  Number(/^process_cpu_seconds_total (\S+)$/m.exec(await (await fetch(`${url}/metrics`)).text())![1]);

/** The times that each group took, in at least so many evaluations as there are rounds. */
const evaluations = async (prometheus: Prometheus): Promise<Map<string, number[]>> => {
  const times = new Map<string, Map<number, number>>();
  await until(
    'several evaluations of each group',
    async () => {
      const at = await ofGroups(prometheus, 'prometheus_rule_group_last_evaluation_timestamp_seconds');
      for (const [group, value] of await ofGroups(prometheus, 'prometheus_rule_group_last_duration_seconds'))
        times.set(group, (times.get(group) ?? new Map<number, number>()).set(at.get(group) ?? NaN, value));
      return [...times.values()].every(({ size }) => size > rounds);
    },
    { timeoutMs: 10 * rounds * intervalSeconds * 1000, intervalMs: 1000 },
  );
  return new Map([...times].map(([group, all]) => [group, [...all.values()]]));
};

/** The seconds in which each rate is read once, in this form. */
const secondsOfRates = async (
  prometheus: Prometheus,
  content: string,
  form: (rate: string) => string,
): Promise<number> => {
  let total = 0;
  for (const rate of new Set(content.match(ratePattern))) {
    const start = performance.now();
    await prometheus.query(`count(${form(JSON.parse(`"${rate}"`) as string)})`);
    total += (performance.now() - start) / 1000;
  }
  return total;
};

/** Each rate is read: no form of these rules can take less. */
const read = (rate: string): string => rate;

/** Each rate is read and summed by guest: what a rule must do at least to record it by uuid. */
const readAndJoined = (rate: string): string => {
  const [labels, identity] = rate.includes('xen_role')
    ? ['instance, domain', 'instance_domain:xen_domain_uuid:info']
    : ['instance', 'instance:xen_guest_uuid:info'];
  return `sum by (uuid) (sum by (${labels}) (${rate}) * on (${labels}) group_left (uuid) ${identity}{job=""})`;
};

/** Reports what the rules of one contender cost. */
const report = async ({ name, content }: Contender, prometheus: Prometheus): Promise<void> => {
  const begin = performance.now();
  const cpuBefore = await cpuSeconds(prometheus);
  const times = await evaluations(prometheus);
  const cpu = ((await cpuSeconds(prometheus)) - cpuBefore) / ((performance.now() - begin) / 1000 / intervalSeconds);
  const [recorded] = await prometheus.query('count({__name__=~"(uuid|instance).*:.*"})');
  const firing = await prometheus.query('count by (alertname) (ALERTS{alertstate="firing"})');
  const missed = await ofGroups(prometheus, 'prometheus_rule_group_iterations_missed_total');
  const sum = (all: Iterable<number>): number => [...all].reduce((total, each) => total + each, 0);
  const whole = sum([...times.values()].map(median));
  const medianOf = async (form: (rate: string) => string): Promise<number> => {
    const all: number[] = [];
    for (let round = 0; round < rounds; round++) all.push(await secondsOfRates(prometheus, content, form));
    return median(all);
  };
  const floor = await medianOf(read);
  const joined = await medianOf(readAndJoined);
  process.stdout.write(
    [
      `\n${name}: all rules ${seconds(whole)}, each rate once ${seconds(floor)}: ${(whole / floor).toFixed(2)} times the floor; each rate once, summed by guest, ${seconds(joined)}; scrapes and rules of ${intervalSeconds} s take ${seconds(cpu)} of CPU time`,
      `${((recorded?.value ?? 0) / (hosts * guestsPerHost)).toFixed(1)} recorded rows per guest, ${firing.map(({ metric, value }) => `${value} ${metric['alertname']}`).join(', ') || 'no alerts'}, ${sum(missed.values())} evaluations missed`,
      ...[...times].map(([group, all]) => `  ${seconds(median(all))} ${group} (most ${seconds(Math.max(...all))})`),
    ].join('\n') + '\n',
  );
  const { groups } = await prometheus.ask<{
    groups: { rules: { name: string; labels?: { cause?: string }; evaluationTime: number; lastError?: string }[] }[];
  }>('/api/v1/rules');
  const slowest = groups.flatMap(({ rules }) => rules).toSorted((a, b) => b.evaluationTime - a.evaluationTime);
  for (const { name: rule, labels, evaluationTime, lastError } of slowest.slice(0, 15))
    process.stdout.write(`    ${seconds(evaluationTime)} ${rule} ${labels?.cause ?? ''} ${lastError ?? ''}\n`);
};

process.stdout.write(
  `${hosts} hosts with ${guestsPerHost} guests each, ${seriesCount} series scraped every ${intervalSeconds} s; ${availableParallelism()} cores\n`,
);
const folder = mkdtempSync(join(tmpdir(), 'bench-rules-'));
try {
  // One after another: beside each other they would wait for each other's processors.
  for (const contender of contenders) {
    const rules = join(folder, 'rules.json');
    writeFileSync(rules, contender.content);
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
    const ready = Date.now() + warmUpSeconds * 1000;
    await until('the window of the rules to be full', () => Date.now() > ready, {
      timeoutMs: (warmUpSeconds + 60) * 1000,
      intervalMs: 1000,
    });
    await report(contender, prometheus);
  }
} finally {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
}
