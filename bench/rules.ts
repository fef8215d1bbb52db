// Measures the cost of the rules in a Prometheus that watches a fleet. Prometheus scrapes pages of generated hosts and
// guests, made from captured ones, for as long as the rules look back. Prints the time of each rule group next to the
// floor: each rate of the rules, read once. Also prints the time of each rate read once and summed by guest, the
// minimum for rules that record rates by uuid.
//
//   npm run bench:rules -- [--hosts=100] [--guests=20] [--interval=15] [--old=COMMIT]
//
// With --old, a second Prometheus then evaluates that commit's rules over the same pages.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
import { generatedFleet } from './generated-fleet.ts';

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
// Slightly longer than the rules look back.
const warmUpSeconds = 330;
const rounds = 3;

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

const pages = generatedFleet({ hosts, guestsPerHost, used: (name) => used.has(name) });
const seriesCount = pages.reduce((sum, page) => sum + page.length, 0);
const begin = Date.now();
const server = createServer((request, response) => {
  const elapsed = (Date.now() - begin) / 1000;
  const page = pages[Number(request.url!.slice(1))]!;
  let text = '';
  for (const { series, value, perSecond } of page) text += `${series} ${value + perSecond * elapsed}\n`;
  response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(text);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Matches a rate of the rules in JSON text. */
const ratePattern = /rate\(xen_\w+\{(?:[^}"]|\\"[^"]*\\")*\}\[\w+\]\)/g;
const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
const seconds = (value: number): string => `${value.toFixed(3)} s`;

/** Values of a Prometheus metric about rule groups, by group name. */
const ofGroups = async ({ url }: Prometheus, name: string): Promise<Map<string, number>> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${name}\\{.*?rule_group="([^"]*)".*\\} (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, key, value]) => [key!.split(';').at(-1)!, Number(value)]));
};

/** CPU time that a Prometheus has used. */
const cpuSeconds = async ({ url }: Prometheus): Promise<number> =>
  Number(/^process_cpu_seconds_total (\S+)$/m.exec(await (await fetch(`${url}/metrics`)).text())![1]);

/** Durations of each group, in at least this number of evaluations. */
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

/** Seconds to read each rate once, in this form. */
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

/** Reads each rate: the floor for any form of these rules. */
const read = (rate: string): string => rate;

/** Reads each rate and sums it by guest: the minimum for recording it by uuid. */
const readAndJoined = (rate: string): string => {
  const [labels, identity] = rate.includes('xen_role')
    ? ['instance, domain', 'instance_domain:xen_domain_uuid:info']
    : ['instance', 'instance:xen_guest_uuid:info'];
  return `sum by (uuid) (sum by (${labels}) (${rate}) * on (${labels}) group_left (uuid) ${identity}{job=""})`;
};

/** Reports the cost of one contender's rules. */
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
  // In sequence, so that they do not compete for CPUs.
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
