import { createServer } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dashboards } from '../../tools/dashboards/dashboards.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { Fleet } from '../../tools/lib/fleet.ts';
import {
  annotationQueries,
  choiceOf,
  collapsedPanelsOf,
  everything,
  interpolated,
  optionsOf,
  panelQueries,
  panelsOf,
  targetsOf,
  variableQuery,
  variablesOf,
  type Choice,
} from '../../tools/lib/grafana.ts';
import { startPrometheus, type Prometheus, type QueryResult } from '../../tools/lib/prometheus.ts';
import { scaledRuleFile } from '../../tools/lib/time-scale.ts';
import { until } from '../../tools/lib/until.ts';

/** Five minutes take ten seconds. */
const timeScale = 1 / 30;
const rateInterval = '10s';
const domu1 = '6c9ee902-e8b7-484d-b5a1-502d89e835de';
const everyGuest = 'uuid:xen_guest_identity:info';

/**
 * Queries without results in the fleet, with the reason. They are in collapsed rows, and their descriptions state the
 * requirement.
 */
const needsWhatNoFixtureHas: Readonly<Record<string, string>> = {
  'Xen / Guest accept path / Packets that wait in qdiscs A': 'netlink of a Dom0: copied hosts have none',
  'Xen / Guest accept path / Packets that wait in qdiscs B':
    'netlink of a guest with netfront: copied guests have none',
  'Xen / Guest accept path / Packets that qdiscs dropped A': 'netlink of a Dom0: copied hosts have none',
  'Xen / Guest accept path / Packets that qdiscs dropped B':
    'netlink of a guest with netfront: copied guests have none',
  'Xen / Guest accept path / How long vCPUs wait for a CPU A': 'a tracing Xen: copied hosts have none',
  'Xen / Guest accept path / How long vCPUs wait for a CPU B': 'a tracing Xen: copied hosts have none',
  'Xen / Guest accept path / How long vCPUs wait for a CPU C': 'a tracing Xen: copied hosts have none',
  'Xen / Guest accept path / How long vCPUs wait for a CPU D': 'a tracing Xen: copied hosts have none',
  ...Object.fromEntries(
    [
      'Xen / Guest accept path / Waits for accept() A',
      'Xen / Guest accept path / Waits for accept() B',
      'Xen / Guest accept path / Grant operations of its threads A',
      'Xen / Guest accept path / Events sent to the guest A',
      'Xen / Dom0 and netback / Grant operations A',
      'Xen / Dom0 and netback / Grant calls A',
      'Xen / Dom0 and netback / Grant calls B',
      'Xen / Dom0 and netback / Events sent A',
    ].map((query) => [query, 'probes, which only a live kernel has']),
  ),
};
/** Queries with results only for this machine, which poses as a guest: it has netlink, the copies do not. */
const onlyOfALiveKernel = ['Xen / Guest accept path / SYN queue length A'];

/** Panels that may be empty while all machines are idle. */
const silentWhenIdle = [
  // No trouble.
  '/ Causes ',
  '/ Alerts that fire ',
  '/ annotation Alerts',
  // Divisions by zero: the counters of copied machines do not move.
  '/ Drops per accept ',
  '/ Wait in the accept queue ',
  '/ Share of packets lost ',
  '/ Interrupts for each packet received ',
  '/ Time of vCPUs in interrupts ',
  '/ Waiting for a physical CPU ',
  '/ Steal ',
  '/ Steal in guests ',
  '/ Guests, the worst first C',
  '/ Guests, the worst first E',
];

let fleet: Fleet;
let rules: TempTree;
let prometheus: Prometheus;

/** An address without a listener: an exporter that is down. */
const deadTarget = async (): Promise<string> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return `127.0.0.1:${port}`;
};

const has = async (expr: string): Promise<boolean> => (await prometheus.query(expr)).length > 0;

beforeAll(async () => {
  fleet = await Fleet.start();
  rules = new TempTree();
  writeFileSync(rules.path('rules.yml'), scaledRuleFile(timeScale, 1));
  prometheus = await startPrometheus({
    hosts: fleet.targets.hosts,
    targets: [...fleet.targets.targets, await deadTarget()],
    scrapeIntervalSeconds: 1,
    extraConfig: { rule_files: [rules.path('rules.yml')] },
  });
  const seen = `count(${everyGuest} and on (uuid) uuid:xen_accepts:rate5m) >= 3`;
  await until('guests and hosts to be known', () => has(seen), { timeoutMs: 30_000, intervalMs: 200 });
}, 60_000);

afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  rules?.[Symbol.dispose]();
  await fleet?.[Symbol.asyncDispose]();
});

/** Variables of each dashboard. */
const choices = (): [string, Choice][] => [
  ['one guest and one host', { guest: domu1, host: fleet.dom0.replaceAll('.', '\\\\.') }],
  ['All', { guest: everything, host: everything }],
];

const labelsOf = ({ metric }: QueryResult): string => JSON.stringify(Object.entries(metric).sort());

/** Results of every query of every panel. Throws if Prometheus refuses one, such as a many-to-many match. */
const answers = async (choice: Choice): Promise<Map<string, QueryResult[]>> => {
  const results = new Map<string, QueryResult[]>();
  for (const board of dashboards) {
    const values = await choiceOf(prometheus, board, choice, rateInterval);
    for (const { where, expr } of [...panelQueries(board), ...annotationQueries(board)])
      results.set(where, await prometheus.query(interpolated(expr, values)));
  }
  return results;
};

const emptyOnes = (results: ReadonlyMap<string, QueryResult[]>): string[] =>
  [...results].filter(([, result]) => result.length === 0).map(([where]) => where);

describe('idle', () => {
  test('every query is answered, and all panels but those of trouble and of rates have data', async () => {
    const ofNone = [...Object.keys(needsWhatNoFixtureHas), ...onlyOfALiveKernel];
    for (const [, choice] of choices()) {
      const unanswered = async (): Promise<string[]> =>
        emptyOnes(await answers(choice)).filter(
          (where) => !ofNone.includes(where) && !silentWhenIdle.some((panel) => where.includes(panel)),
        );
      // Rates need a second scrape. Panels without data by then fail below.
      await until('data in all panels', async () => (await unanswered()).length === 0, { timeoutMs: 30_000 }).catch(
        () => {},
      );
      expect(await unanswered()).toEqual([]);
    }
  });
});

describe('in the storm', () => {
  beforeAll(async () => {
    fleet.replay.begin();
    const page = 'ALERTS{alertname="XenAcceptQueueOverflow",alertstate="firing",domain="domu1"}';
    const cause = 'ALERTS{alertname="XenDomainCapReached",alertstate="firing",domain="domu1"}';
    const meta = 'ALERTS{kind="meta",alertstate="firing"}';
    for (const expr of [
      page,
      cause,
      meta,
      'uuid_netns:xen_accept_wait_seconds:mean5m',
      'instance:xen_dom0_steal:ratio_rate5m',
    ])
      await until(expr, () => has(expr), { timeoutMs: 60_000, intervalMs: 200 });
  }, 90_000);

  test('every query has data', async () => {
    const [[, one], [, everybody]] = choices() as [[string, Choice], [string, Choice]];
    const exempt = Object.keys(needsWhatNoFixtureHas);
    expect(emptyOnes(await answers(everybody)).sort()).toEqual([...exempt].sort());
    expect(emptyOnes(await answers(one)).sort()).toEqual([...exempt, ...onlyOfALiveKernel].sort());
  });

  test('what needs more than a usual installation is in a collapsed row, and says so', () => {
    const collapsed = dashboards.flatMap((board) =>
      collapsedPanelsOf(board).flatMap((panel) =>
        targetsOf(panel).map(({ refId }) => `${board.title} / ${panel.title} ${refId}`),
      ),
    );
    expect(collapsed).toEqual(expect.arrayContaining([...Object.keys(needsWhatNoFixtureHas), ...onlyOfALiveKernel]));
  });

  test.each(dashboards.map((board) => [board.title!, board] as const))(
    'every variable of %s has values',
    async (_title, board) => {
      for (const [, choice] of choices()) {
        const values = await choiceOf(prometheus, board, choice, rateInterval);
        for (const variable of variablesOf(board).filter((each) => variableQuery(each)))
          expect(await optionsOf(prometheus, variable, values), variable.name).not.toEqual([]);
      }
    },
  );

  test('the guests are called by name, and chosen by uuid', async () => {
    const board = dashboards.find(({ uid }) => uid === 'xen-guest')!;
    const variable = variablesOf(board).find(({ name }) => name === 'guest')!;
    const options = await optionsOf(prometheus, variable, { host: fleet.dom0.replaceAll('.', '\\\\.') });
    expect(options.map(({ text }) => text).sort()).toEqual(['domu1', 'domu2', 'pvh1']);
    expect(options).toContainEqual({ text: 'domu1', value: domu1 });
  });

  test.each(dashboards.map((board) => [board.title!, board] as const))(
    'tables of %s have one row for each thing, and stats one number',
    async (_title, board) => {
      for (const [, choice] of choices()) {
        const values = await choiceOf(prometheus, board, choice, rateInterval);
        for (const panel of panelsOf(board).filter(({ type }) => type === 'stat' || type === 'table')) {
          for (const { expr, legendFormat = '' } of targetsOf(panel)) {
            const rows = await prometheus.query(interpolated(expr, values));
            const { renameByName = {} } = (panel.transformations?.find(({ id }) => id === 'organize')?.options ??
              {}) as { renameByName?: Record<string, string> };
            // A column without a header is a mistake.
            if (panel.type === 'table')
              for (const label of rows.flatMap(({ metric }) => Object.keys(metric)))
                expect([...Object.keys(renameByName), 'uuid'], panel.title!).toContain(label);
            // A table shows all labels but the uuid, so rows that differ only in the uuid would look the same.
            const names = rows.map((row) => {
              const { uuid: _, ...shown } = row.metric;
              if (panel.type === 'table') return labelsOf({ ...row, metric: shown });
              return legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (__, label: string) => row.metric[label] ?? '');
            });
            // Domains of different hosts may have the same name.
            const isNamedOnly = panel.type === 'stat' && legendFormat === '{{domain}}' && choice['host'] === everything;
            if (!isNamedOnly) expect(new Set(names).size, `${panel.title}: ${names.join(' ')}`).toBe(names.length);
            const uuids = rows.map(({ metric }) => metric['uuid']).filter(Boolean);
            if (/^Guests, /.test(panel.title!)) expect(new Set(uuids).size).toBe(rows.length);
          }
        }
      }
    },
  );

  test('advice is given of the guest with a small backlog, and of its host', async () => {
    const board = dashboards.find(({ uid }) => uid === 'xen-scheduler')!;
    const values = await choiceOf(prometheus, board, { host: fleet.dom0.replaceAll('.', '\\\\.') }, rateInterval);
    const panel = panelsOf(board).find(({ title }) => title === 'Advice')!;
    const rows = await prometheus.query(interpolated(targetsOf(panel)[0]!.expr, values));
    const given = rows.map(({ metric, value }) => [metric['runbook'], metric['domain'] ?? '', value]);
    expect(given.sort()).toEqual([
      ['XenCreditExhaustion', '', 0.03],
      ['XenEventChannelStorm', 'domu1', 1],
      ['XenEventChannelStorm', 'domu2', 1],
      ['XenListenBacklogTooSmall', 'domu1', 8],
      ['XenNetbackSaturated', '', 4],
    ]);
  });

  test('the guest in the storm is the first in the fleet, by the hop of its accept queue', async () => {
    const board = dashboards.find(({ uid }) => uid === 'xen-fleet')!;
    const values = await choiceOf(prometheus, board, { guest: everything, host: everything }, rateInterval);
    const panel = panelsOf(board).find(({ title }) => title!.startsWith('Guests, the worst'))!;
    const worst = await prometheus.query(interpolated(targetsOf(panel)[0]!.expr, values));
    const guests = await prometheus.query(everyGuest);
    expect(worst.map(({ metric }) => metric['uuid']).sort()).toEqual(guests.map(({ metric }) => metric['uuid']).sort());
    const [first, second] = worst.sort((one, other) => other.value - one.value);
    expect(first!.metric).toMatchObject({ domain: 'domu1', host: fleet.dom0 });
    expect(first!.value).toBeGreaterThan(Math.max(1, second!.value));
  });
});
