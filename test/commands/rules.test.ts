import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { renderRules, rules } from '../../src/commands/rules.ts';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { UsageError } from '../../src/config/usage-error.ts';
import type { AlertingRule, RuleGroup } from '../../src/pack/pack.ts';
import { queriesIn } from '../../src/pack/template.ts';
import { project } from '../../tools/lib/project.ts';
import { exportedMetrics, metricsIn } from '../support/promql.ts';

/** Output of `xen-exporter rules` with these arguments. */
const rulesCommand = (args: readonly string[]): string =>
  renderRules(parseCommandLine(args, rules.settings, rules).given);
const groupsOf = (...args: string[]): RuleGroup[] => (load(rulesCommand(args)) as { groups: RuleGroup[] }).groups;
const alert = (name: string, ...args: string[]): AlertingRule =>
  groupsOf(...args)
    .flatMap(({ rules }) => rules)
    .find((rule): rule is AlertingRule => 'alert' in rule && rule.alert === name)!;

/** Queries in annotations. */
const queriesOf = (...args: string[]): string[] =>
  groupsOf(...args).flatMap(({ rules }) =>
    rules.flatMap((rule) => ('alert' in rule ? Object.values(rule.annotations).flatMap(queriesIn) : [])),
  );

test('every selector takes the job that is given', () => {
  const text = rulesCommand(['--job=xen-.*|dom0']);
  expect(text).toContain('xen_tcp_passive_opens_total{job=~"xen-.*|dom0"}');
  expect(text).not.toContain('job=~"xen"');
});

test('windows that must hold several scrapes grow with the scrape interval', () => {
  const recentAccepts = (...args: string[]) =>
    groupsOf(...args)
      .flatMap(({ rules }) => rules)
      .find((rule) => 'record' in rule && rule.record === 'uuid:xen_recent_accepts:rate')!.expr;
  const windows = ['15s', '30s', '1m'].map((each) => /\[(\w+)\]/.exec(recentAccepts(`--scrape-interval=${each}`))?.[1]);
  expect(windows).toEqual(['2m', '2m', '4m']);
});

test('another threshold changes the alert and the score of its cause', () => {
  const set = '--set=XenVcpuStarved.threshold=0.25';
  expect(alert('XenVcpuStarved', set).expr).toMatch(/ > 0\.25$/m);
  const score = groupsOf(set)
    .flatMap(({ rules }) => rules)
    .find((rule) => 'record' in rule && rule.record.startsWith('uuid_cause:') && rule.expr.includes('XenVcpuStarved'))!;
  expect(score.expr).toMatch(/\) > 0\.125\s*\) \/ 0\.25,\s*"cause", "XenVcpuStarved"/);
});

test('another threshold of a cause changes the symptom that asks for it', () => {
  const collapse = alert('XenAcceptThroughputCollapse', '--set=XenUplinkDropping.threshold=0.03');
  expect(collapse.expr).toContain('label_replace(instance:xen_uplink_lost_packets:ratio_rate5m{job=""} > 0.03,');
});

test('another severity has a threshold of its own', () => {
  const all = groupsOf('--set=XenVifDropping.critical.threshold=0.07').flatMap(({ rules }) => rules);
  const dropping = all.filter((rule): rule is AlertingRule => 'alert' in rule && rule.alert === 'XenVifDropping');
  expect(dropping.map(({ labels, expr }) => [labels.severity, / > (0\.0[17])\b/.exec(expr)?.[1]])).toEqual([
    ['warning', '0.01'],
    ['critical', '0.07'],
  ]);
});

test('dashboards are where Grafana is', () => {
  const { annotations } = alert('XenDom0Starved', '--grafana-url=http://grafana');
  expect(annotations['dashboard_url']).toBe('http://grafana/d/xen-dom0?var-host={{ $labels.instance }}');
});

test('links go where the runbooks are', () => {
  for (const url of ['http://wiki/xen', 'http://wiki/xen/']) {
    const { annotations } = alert('XenAcceptQueueOverflow', `--runbook-url=${url}`);
    expect(annotations['runbook_url']).toBe('http://wiki/xen/XenAcceptQueueOverflow.md');
    expect(annotations['cause_runbook_url']).toContain('}}http://wiki/xen/{{ .Labels.cause }}.md{{');
  }
});

test('a manifest of the Prometheus Operator has the same groups', () => {
  const manifest = load(rulesCommand(['--format=operator'])) as { kind: string; spec: { groups: RuleGroup[] } };
  expect(manifest.kind).toBe('PrometheusRule');
  expect(manifest.spec.groups).toEqual(groupsOf());
});

test.each(['--job=xen', '--job=xen_a{2}|"b{"', '--format=operator'])('%s: --metrics prints what rules read', (arg) => {
  const lines = rulesCommand(['--metrics', arg]).split('\n');
  expect(lines.pop()).toBe('');
  const expressions = groupsOf().flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const read = new Set(
    [...expressions, ...queriesOf()].flatMap(metricsIn).filter((name) => !name.includes(':') && name !== 'ALERTS'),
  );
  expect(lines).toEqual([...read].sort());
  expect(lines.filter((name) => !exportedMetrics.includes(name))).toEqual([]);
});

test('--keep-labels refuses each label that the rules use', () => {
  const used = new Set<string>();
  for (const rule of groupsOf().flatMap(({ rules }) => rules)) {
    const { expr } = rule;
    for (const label of Object.keys('labels' in rule ? rule.labels : {})) used.add(label);
    parser.parse(expr).iterate({
      enter: ({ name, from, to }) => {
        if (name === 'LabelName') used.add(expr.slice(from, to));
      },
    });
  }
  // The target label of hosts is a user's label.
  used.delete('xen_role');
  expect(used.size).toBeGreaterThan(20);
  for (const label of used) expect(() => rulesCommand([`--keep-labels=${label}`]), label).toThrow(UsageError);
});

test('queries in annotations read the metrics of the job, and --metrics names them', () => {
  const queries = queriesOf('--job=a%q|100%|"b"');
  const [listener] = queries.filter((query) => query.startsWith('xen_listener_info{'));
  expect(listener).toContain(String.raw`{job=~"a%q|100%|\"b\"",instance=""`);
  expect(rulesCommand(['--metrics']).split('\n')).toContain('xen_listener_info');
});

test.each([
  ['--set=XenVcpuStarved=1', 'expected ALERT.threshold=NUMBER'],
  ['--set=XenVifDropping.info.threshold=1', 'expected XenVifDropping.threshold or XenVifDropping.critical.threshold'],
  ['--set=XenNone.threshold=1', 'there is no alert XenNone'],
  ['--set=XenVcpuStarved.threshold=much', 'expected a number above 0, found much'],
  ['--set=XenVcpuStarved.threshold=0', 'expected a number above 0, found 0'],
  ['--job=', '--job: expected a Prometheus regular expression (RE2'],
  ['--job=xen(', 'found "xen("'],
  ['--job=(?!xen)', 'found "(?!xen)"'],
  ['--host-selector=', '--host-selector: expected matchers of target labels, such as xen_role="host", found ""'],
  ['--host-selector=host', 'expected matchers of target labels'],
  ['--host-selector=xen_role="host"} or {', 'expected matchers of target labels'],
  ['--host-selector=xen_role=~"(?!guest)"', 'expected matchers of target labels'],
  ['--keep-labels=', '--keep-labels: '],
  ['--keep-labels=site,host', 'target labels that the rules do not use themselves, such as site,rack,team'],
  ['--keep-labels=site rack', 'target labels that the rules do not use themselves, such as site,rack,team'],
  ['--scrape-interval=2m', 'expected a duration from 1s to 60s, or 1m'],
  ['--scrape-interval=0s', 'expected a duration from 1s to 60s, or 1m'],
  ['--format=json', 'expected one of prometheus, operator'],
  ['--nothing', "Unknown option '--nothing', --help lists the flags"],
])('%s is refused', (arg, message) => {
  expect(() => rulesCommand([arg])).toThrow(UsageError);
  expect(() => rulesCommand([arg])).toThrow(message);
});

describe('the placeholder of the runbooks’ URL', () => {
  const main = join(project, 'src/main.ts');
  const rulesOf = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'rules', ...args], { encoding: 'utf8' });
    expect(status).toBe(0);
    return { stdout, stderr };
  };

  test('is warned about on stderr; stdout has the rules and nothing else', () => {
    const { stdout, stderr } = rulesOf();
    expect(stdout).toBe(rulesCommand([]));
    expect(stderr).toMatch(
      /^xen-exporter: warning: .*--runbook-url is the placeholder https:\/\/example\.org\/xen-exporter\/runbooks\/.*\n$/,
    );
    // The trailing slash, which is added, makes no difference.
    expect(rulesOf('--runbook-url=https://example.org/xen-exporter/runbooks').stderr).toContain('placeholder');
  });

  test('is not, once there is a URL, and where no rule is printed', () => {
    expect(rulesOf('--runbook-url=https://wiki.example.org/xen').stderr).toBe('');
    expect(rulesOf('--metrics').stderr).toBe('');
  });
});
