import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parser } from '@prometheus-io/lezer-promql';
import { dashboards, dashboardsFor, filesOf } from '../../../tools/dashboards/dashboards.ts';
import { alerts } from '../../../src/pack/alerts/alerts.ts';
import { dashboardUids, dashboardVariables } from '../../../src/pack/dashboards.ts';
import { defaultPackOptions, rulePack } from '../../../src/pack/pack.ts';
import { leastScore, scoreName } from '../../../src/pack/recording/score.ts';
import {
  annotationQueries,
  collapsedPanelsOf,
  panelQueries,
  panelsOf,
  rowsOf,
  targetsOf,
  variableQuery,
  variablesOf,
} from '../../../tools/lib/grafana.ts';
import { exportedMetrics, metricsIn } from '../../support/promql.ts';

const folder = new URL('../../../grafana/dashboards/', import.meta.url);
const recorded = rulePack(defaultPackOptions).flatMap(({ rules }) =>
  rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
);
const processMetrics = [
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'nodejs_eventloop_active_seconds_total',
];
const known = new Set([...exportedMetrics, ...processMetrics, ...recorded, 'ALERTS', 'ALERTS_FOR_STATE']);

/** PromQL without Grafana's insertions outside strings. */
const plain = (expr: string): string =>
  expr.replaceAll('[$__rate_interval]', '[5m]').replaceAll('topk($most,', 'topk(25,');

/** Every selector as written. */
const selectorsIn = (expr: string): string[] => {
  const selectors: string[] = [];
  parser.parse(expr).iterate({
    enter: (node) => {
      if (node.name === 'VectorSelector') selectors.push(expr.slice(node.from, node.to));
    },
  });
  return selectors;
};

/** Names in a selector, including those that it matches by a regular expression. */
const namesIn = (expr: string): string[] => {
  const [, alternatives] = /__name__=~"([^"]+)"/.exec(expr) ?? [];
  return alternatives === undefined ? metricsIn(expr) : alternatives.split('|');
};

/** All values with this key, anywhere. */
const under = (value: unknown, key: string): unknown[] => {
  if (typeof value !== 'object' || value === null) return [];
  const own = key in value ? [(value as Record<string, unknown>)[key]] : [];
  return [...own, ...Object.values(value).flatMap((each) => under(each, key))];
};

test('the files are what npm run docs writes', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(filesOf(dashboards)).sort());
  for (const [name, text] of Object.entries(filesOf(dashboards)))
    expect(readFileSync(new URL(name, folder), 'utf8')).toBe(text);
});

test('there is one dashboard for each uid, and each has the variable that alerts set', () => {
  expect(dashboards.map(({ uid }) => uid).sort()).toEqual(Object.values(dashboardUids).sort());
  for (const [about, variable] of Object.entries(dashboardVariables)) {
    const board = dashboards.find(({ uid }) => uid === dashboardUids[about as keyof typeof dashboardVariables])!;
    expect(variablesOf(board).map(({ name }) => name)).toContain(variable);
  }
});

describe.each(dashboards.map((board) => [board.uid!, board] as const))('%s', (_uid, board) => {
  const json = JSON.stringify(board);
  const panels = panelsOf(board);
  const queries = [...panelQueries(board), ...annotationQueries(board)];
  const variableQueries = variablesOf(board).flatMap((variable) => variableQuery(variable)?.selector ?? []);

  test('has the schema of Grafana 11, and no id of an installation', () => {
    expect(board).toMatchObject({ schemaVersion: 39, editable: true });
    expect(board.id).toBeUndefined();
    expect(panels.length).toBeGreaterThan(8);
  });

  test('has unique ids and, in a panel, refIds', () => {
    const ids = [...panels, ...rowsOf(board)].map(({ id }) => id);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
    for (const panel of panels) {
      const refIds = targetsOf(panel).map(({ refId }) => refId);
      expect(refIds.length).toBeGreaterThan(0);
      expect(new Set(refIds).size).toBe(refIds.length);
    }
  });

  test('has a title, a description and a unit on every panel', () => {
    for (const panel of panels) {
      expect(panel.title).toMatch(/\S/);
      expect(panel.description, panel.title).toMatch(/\S.*[.\d]$/);
      expect(panel.fieldConfig?.defaults?.unit, panel.title).toMatch(/\S/);
    }
  });

  test('takes data from the chosen data source only', () => {
    const sources = under(board, 'datasource');
    for (const source of sources) expect(source).toEqual({ type: 'prometheus', uid: '${datasource}' });
    // As many as targets, panels, annotations and querying variables.
    expect(sources).toHaveLength(
      panels.length +
        panels.flatMap(targetsOf).length +
        (board.annotations?.list ?? []).length +
        variableQueries.length,
    );
  });

  test('has no job, host or exporter written down, and asks only for jobs that are chosen', () => {
    const all = [...queries.map(({ expr }) => expr), ...variableQueries].map(plain);
    for (const expr of all) {
      expect(expr).not.toMatch(/\b(job|instance|host|uuid)="[^"]/);
      for (const selector of selectorsIn(expr)) {
        const [name = ''] = /^[\w:]*/.exec(selector)!;
        // Recorded rows contain only the pack's jobs, and are joined by the exporter.
        if (!recorded.includes(name) && !name.startsWith('ALERTS') && selector !== 'xen_exporter_build_info')
          expect(selector).toContain('job=~"$job"');
      }
    }
  });

  test('looks back over $__rate_interval', () => {
    for (const { expr } of queries) {
      const ranges = [...expr.matchAll(/\[[^\]]*\]/g)].map(([range]) => range);
      expect(ranges.filter((range) => range !== '[$__rate_interval]')).toEqual([]);
      expect(ranges).toHaveLength([...expr.matchAll(/\b(?:rate|increase|irate|delta|\w+_over_time)\(/g)].length);
    }
  });

  test.each([...queries.map(({ where, expr }) => [where, expr]), ...variableQueries.map((expr) => [expr, expr])])(
    'is PromQL of metrics that exist: %s',
    (_where, expr) => {
      const names = namesIn(plain(expr!));
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !known.has(name))).toEqual([]);
    },
  );

  test('uses the variables that it has, and no others', () => {
    const names = variablesOf(board).map(({ name }) => name);
    const used = [...json.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name!);
    expect([...new Set(used)].filter((name) => !names.includes(name))).toEqual([]);
    // Used by another variable, or by every link.
    const unused = names.filter((name) => !used.includes(name));
    expect(unused).toEqual([]);
  });

  test('has panels that do not lie over one another, on 24 columns', () => {
    const overlap = (group: readonly { gridPos?: { x: number; y: number; w: number; h: number } }[]): number => {
      const cells = group.flatMap(({ gridPos }) => {
        const { x, y, w, h } = gridPos!;
        expect(x + w).toBeLessThanOrEqual(24);
        return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
      });
      return cells.length - new Set(cells).size;
    };
    expect(overlap(board.panels!)).toBe(0);
    for (const row of rowsOf(board)) expect(overlap(row.panels ?? [])).toBe(0);
  });

  test('has thresholds that are those of alerts', () => {
    const ofAlerts = alerts.flatMap(({ levels }) => levels.map(({ threshold }) => threshold.value));
    // Limits of a score, of a count, and of counts that should be 0.
    const others = [leastScore, 1, 1e-9];
    const steps = under(board, 'steps').filter(Array.isArray).flat() as { value: number | null }[];
    expect(steps.length).toBeGreaterThan(0);
    for (const { value } of steps) expect([null, ...ofAlerts, ...others]).toContain(value);
  });

  test('has links to dashboards and runbooks that exist, which keep the time', () => {
    const properties = under(board, 'properties').flat() as { id: string; value: unknown }[];
    const links = properties.filter(({ id }) => id === 'links').flatMap(({ value }) => value as { url: string }[]);
    expect(links.length).toBeGreaterThan(0);
    for (const { url } of links) {
      const [, uid, variable] = /^\/d\/([\w-]+)\?var-(\w+)=/.exec(url) ?? [];
      if (uid === undefined) {
        expect(url).toBe('${runbooks:raw}${__value.raw}.md');
        continue;
      }
      const target = dashboards.find((each) => each.uid === uid)!;
      expect(variablesOf(target).map(({ name }) => name)).toContain(variable);
      expect(url).toContain('${__url_time_range}');
    }
    expect(board.links).toMatchObject([{ type: 'dashboards', keepTime: true, includeVars: true }]);
  });

  test('has a reason in the description of every panel in a collapsed row', () => {
    for (const panel of collapsedPanelsOf(board)) expect(panel.description).toMatch(/Needs|only/);
  });
});

test('only the fleet and the exporters begin with all of them: where All can be had, Grafana takes it', () => {
  const withAll = dashboards.map((board) => [
    board.uid,
    variablesOf(board).flatMap(({ name, hide, includeAll }) => (includeAll && hide === undefined ? [name] : [])),
  ]);
  expect(Object.fromEntries(withAll)).toEqual({
    'xen-fleet': ['job', 'host', 'guest'],
    'xen-guest': ['job', 'host'],
    'xen-dom0': ['job', 'guest'],
    'xen-scheduler': ['job', 'guest'],
    'xen-exporter': ['job', 'instance'],
  });
});

test('advice leads to runbooks', () => {
  const runbooks = [...JSON.stringify(dashboards).matchAll(/\\"runbook\\", \\"(\w+)\\"/g)].map(([, name]) => name!);
  expect(runbooks.length).toBeGreaterThan(4);
  expect(runbooks.filter((name) => !alerts.some((alert) => alert.name === name))).toEqual([]);
});

test('hops are coloured by the score of the pack, in the order of the way', () => {
  const guest = dashboards.find(({ uid }) => uid === dashboardUids.guest)!;
  const lanes = panelsOf(guest).find(({ type }) => type === 'state-timeline')!;
  const ofCauses = new Set(alerts.filter(({ kind }) => kind === 'cause').map(({ hop }) => hop));
  expect(new Set(targetsOf(lanes).map(({ legendFormat }) => legendFormat))).toEqual(ofCauses);
  for (const { expr, legendFormat } of targetsOf(lanes)) {
    expect(expr).toContain(`${scoreName}{`);
    expect(expr).toContain(`hop="${legendFormat}"`);
  }
});

test('dashboards take the limits that a user changes', () => {
  const changed = dashboardsFor({
    XenUplinkDropping: { threshold: 0.777, severity: 'critical' },
    XenNetbackSaturated: { levels: { info: { threshold: 0.666, severity: 'critical' } } },
    XenDom0Starved: { disabled: true },
  });
  const stats = panelsOf(changed.find(({ uid }) => uid === dashboardUids.host)!);
  const limits = (title: string): unknown =>
    under(
      stats.find((panel) => panel.title === title)!,
      'steps',
    )[0];
  const fine = { value: null, color: 'green' };
  expect(limits('Lost before the bridge')).toEqual([fine, { value: 0.777, color: 'red' }]);
  expect(limits('netback')).toEqual([fine, { value: 0.666, color: 'red' }]);
  expect(limits('Steal')).toEqual([{ value: null, color: 'text' }]);
});
