import { expect, test } from 'vitest';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { queriesIn } from '../../src/pack/template.ts';
import { exportedMetrics, metricsIn } from '../support/promql.ts';

test('names, severities and texts are as people expect them', () => {
  for (const { name, summary, levels } of alerts) {
    expect(name).toMatch(/^Xen[A-Z][A-Za-z0-9]{1,36}$/);
    expect(summary.replaceAll(/\{\{.*?\}\}/g, '').length, name).toBeLessThan(120);
    for (const { threshold } of levels) expect(threshold.why, name).toMatch(/\.$/);
  }
  expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length);
});

test('every metric that a rule names is one that an exporter, Prometheus or a rule before it has', () => {
  const known = new Set(exportedMetrics);
  for (const { rules } of rulePack(defaultPackOptions)) {
    for (const rule of rules) {
      const names = metricsIn(rule.expr);
      expect(names.length).toBeGreaterThan(0);
      const asked = 'alert' in rule ? Object.values(rule.annotations).flatMap(queriesIn).flatMap(metricsIn) : [];
      // A rule may read its own earlier values.
      if ('record' in rule) known.add(rule.record);
      expect([...names, ...asked].filter((name) => !known.has(name))).toEqual([]);
    }
  }
});

test('a group has 20 rules at most, the default limit of Mimir', () => {
  for (const keptLabels of [[], ['site']])
    for (const { name, rules } of rulePack({ ...defaultPackOptions, keptLabels }))
      expect(rules.length, name).toBeLessThanOrEqual(20);
});

test('every measured value of a cause has words for a notification', () => {
  const causes = alerts.filter(({ kind }) => kind === 'cause');
  const silent = causes.flatMap(({ name, reading, levels }) => [
    ...(reading ? [] : [name]),
    ...levels
      .filter(({ measure, only, reading: own }) => measure && !own && !only?.startsWith('unless'))
      .map(() => name),
  ]);
  expect(silent).toEqual([]);
});
