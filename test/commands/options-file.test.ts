import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { parseOptionsFile, readOptionsFile } from '../../src/commands/options-file.ts';
import { renderRules } from '../../src/commands/rules.ts';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { UsageError } from '../../src/config/usage-error.ts';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import type { AlertingRule, RuleGroup } from '../../src/pack/pack.ts';
import { scoreName } from '../../src/pack/recording/score.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { metricsIn } from '../support/promql.ts';

/** The rules with an options file of this content. */
const rulesWith = (yaml: string, ...set: string[]): RuleGroup['rules'] => {
  using folder = new TempTree();
  folder.write({ 'options.yml': yaml });
  const text = renderRules({ 'options.file': folder.path('options.yml'), set });
  return (load(text) as { groups: RuleGroup[] }).groups.flatMap(({ rules }) => rules);
};
const alertsNamed = (rules: RuleGroup['rules'], name: string): AlertingRule[] =>
  rules.filter((rule): rule is AlertingRule => 'alert' in rule && rule.alert === name);
const scoreOf = (rules: RuleGroup['rules']): string =>
  rules
    .filter((rule) => 'record' in rule && rule.record === scoreName)
    .map(({ expr }) => expr)
    .join('\n');
const levelsOf = (rules: RuleGroup['rules'], name: string): string[] =>
  alertsNamed(rules, name).map((rule) => `${rule.labels.severity} ${rule.for}`);

test('a file changes the threshold, the duration and the severity of an alert', () => {
  const rules = rulesWith('alerts:\n  XenVcpuStarved: { threshold: 0.25, for: 10m, severity: info }\n');
  expect(levelsOf(rules, 'XenVcpuStarved')).toEqual(['info 10m']);
  expect(alertsNamed(rules, 'XenVcpuStarved')[0]!.expr).toMatch(/ > 0\.25$/m);
  expect(scoreOf(rules)).toMatch(/\) > 0\.125\s*\) \/ 0\.25,\s*"cause", "XenVcpuStarved"/);
});

test('another level of an alert changes, and the alert itself does not', () => {
  const rules = rulesWith('alerts: { XenDomainCapReached: { levels: { warning: { threshold: 0.3, for: 1m } } } }');
  expect(levelsOf(rules, 'XenDomainCapReached')).toEqual(['info 10m', 'warning 1m']);
  expect(alertsNamed(rules, 'XenDomainCapReached').map(({ expr }) => / > (0\.\d+)/.exec(expr)?.[1])).toEqual([
    '0.95',
    '0.3',
  ]);
});

test('the duration of an alert is that of its own level alone', () => {
  const rules = rulesWith('alerts: { XenDomainCapReached: { for: 1h } }');
  expect(levelsOf(rules, 'XenDomainCapReached')).toEqual(['info 1h', 'warning 10m']);
});

test('two levels of an alert may exchange their severities', () => {
  const rules = rulesWith(
    'alerts: { XenDomainCapReached: { severity: warning, levels: { warning: { severity: info } } } }',
  );
  expect(levelsOf(rules, 'XenDomainCapReached')).toEqual(['warning 10m', 'info 10m']);
});

test('a disabled cause has no alert, no score and no command, and lends its threshold', () => {
  const rules = rulesWith('alerts: { XenVifDropping: { disabled: true, threshold: 0.04 } }');
  expect(alertsNamed(rules, 'XenVifDropping')).toEqual([]);
  expect(scoreOf(rules)).toContain('"XenVcpuStarved"');
  expect(scoreOf(rules)).not.toContain('XenVifDropping');
  const [collapse] = alertsNamed(rules, 'XenAcceptThroughputCollapse');
  expect(collapse!.annotations['command']).not.toContain('XenVifDropping');
  expect(collapse!.expr).toContain('uuid:xen_vif_lost_packets:ratio_rate5m{job=""} > 0.04');
});

test('a pack without causes has no score', () => {
  const names = alerts.filter(({ kind }) => kind === 'cause').map(({ name }) => name);
  const rules = rulesWith(`alerts: { ${names.map((name) => `${name}: { disabled: true }`).join(', ')} }`);
  expect(scoreOf(rules)).toBe('');
  for (const { expr } of rules) expect(metricsIn(expr).length).toBeGreaterThan(0);
});

test('a level below the least score is measured, because the score lacks it', () => {
  const low = rulesWith('alerts: { XenNetbackRateLimited: { levels: { warning: { threshold: 0.01 } } } }');
  expect(alertsNamed(low, 'XenNetbackRateLimited')[1]!.expr).toMatch(
    /uuid:xen_netback_rate_limited:ratio_rate5m\{job=""\}\n\s*\) > 0\.01$/m,
  );
});

test('--set beats the file', () => {
  const file = 'alerts: { XenVifDropping: { for: 2m, levels: { critical: { threshold: 0.2, for: 3m } } } }';
  const rules = rulesWith(file, 'XenVifDropping.critical.threshold=0.3', 'XenVifDropping.threshold=0.02');
  expect(levelsOf(rules, 'XenVifDropping')).toEqual(['warning 2m', 'critical 3m']);
  expect(alertsNamed(rules, 'XenVifDropping').map(({ expr }) => / > (0\.(?:02|3))\b/.exec(expr)?.[1])).toEqual([
    '0.02',
    '0.3',
  ]);
});

test('a file without alerts changes nothing', () => {
  const text = renderRules();
  const { groups } = load(text) as { groups: RuleGroup[] };
  for (const yaml of ['', 'alerts: {}\n']) expect(rulesWith(yaml)).toEqual(groups.flatMap(({ rules }) => rules));
});

test('the example in docs/alerts/README.md can be read', () => {
  const page = readFileSync(new URL('../../docs/alerts/README.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n(alerts:\n[^]*?)```/.exec(page) ?? [];
  expect(Object.keys(parseOptionsFile(parseConfigFile('alerts/README.md', example))).length).toBeGreaterThan(2);
});

test.each([
  ['alert: {}', 'options.yml:1: alert: unknown key, expected alerts'],
  ['alerts:\n', 'options.yml:1: alerts: expected a mapping, found null'],
  [
    'alerts:\n  XenNone: {}',
    'options.yml:2: alerts.XenNone: unknown key, expected the name of an alert, such as XenVcpuStarved',
  ],
  [
    'alerts:\n  XenVcpuStarved:\n    levels: {}',
    'options.yml:3: alerts.XenVcpuStarved.levels: unknown key, expected one of threshold, for, severity, disabled',
  ],
  [
    'alerts:\n  XenVifDropping:\n    treshold: 1',
    'options.yml:3: alerts.XenVifDropping.treshold: unknown key, expected one of threshold, for, severity, disabled, levels',
  ],
  [
    'alerts:\n  XenVifDropping:\n    levels:\n      info: { for: 1m }',
    'options.yml:4: alerts.XenVifDropping.levels.info: unknown key, expected one of critical',
  ],
  [
    'alerts:\n  XenVifDropping:\n    levels:\n      critical: { disabled: true }',
    'options.yml:4: alerts.XenVifDropping.levels.critical.disabled: unknown key, expected one of threshold, for, severity',
  ],
  [
    'alerts:\n  XenVcpuStarved: { for: soon }',
    'options.yml:2: alerts.XenVcpuStarved.for: expected a duration such as 30s, 5m or 1h30m, found "soon"',
  ],
  [
    'alerts:\n  XenVcpuStarved: { for: 10 }',
    'options.yml:2: alerts.XenVcpuStarved.for: expected a duration such as 30s, 5m or 1h30m, found 10',
  ],
  [
    'alerts:\n  XenVcpuStarved: { severity: page }',
    'options.yml:2: alerts.XenVcpuStarved.severity: expected one of critical, warning, info, found "page"',
  ],
  [
    'alerts:\n\n  XenVcpuStarved: { threshold: 0 }',
    'options.yml:3: alerts.XenVcpuStarved.threshold: expected a number above 0, found 0',
  ],
  [
    'alerts:\n  XenVcpuStarved: { threshold: much }',
    'options.yml:2: alerts.XenVcpuStarved.threshold: expected a number above 0, found "much"',
  ],
  [
    'alerts:\n  XenVcpuStarved: { disabled: 1 }',
    'options.yml:2: alerts.XenVcpuStarved.disabled: expected true or false, found 1',
  ],
  [
    'alerts:\n  XenVifDropping:\n    severity: critical',
    'options.yml:3: alerts.XenVifDropping.severity: expected a severity that no other level of XenVifDropping has, found "critical"',
  ],
  ['alerts: [', 'options.yml:'],
])('%j is refused', (yaml, message) => {
  const read = (): unknown => parseOptionsFile(parseConfigFile('options.yml', yaml));
  expect(read).toThrow(UsageError);
  expect(read).toThrow(message);
});

test('all faults of a file are named at once', () => {
  const file = parseConfigFile('options.yml', 'alerts:\n  XenNone: {}\n  XenVcpuStarved: { for: soon }\n');
  expect(() => parseOptionsFile(file)).toThrow(/^options\.yml:3: .*\noptions\.yml:2: .*$/);
});

test('a file that is missing is named', () => {
  expect(() => readOptionsFile('/nowhere/options.yml')).toThrow(UsageError);
  expect(() => readOptionsFile('/nowhere/options.yml')).toThrow('--options.file: ENOENT');
});
