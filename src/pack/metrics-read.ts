import type { RuleGroup } from './pack.ts';
import { queriesIn } from './template.ts';

const strings = /"(?:[^"\\]|\\.)*"/g;

// Promql writes each metric with a matcher of its job.
const namesIn = (expr: string): string[] =>
  [...expr.replace(strings, '').matchAll(/[\w:]+(?=\{)/g)].map(([name]) => name);

/**
 * The exporter metrics that rules and annotation queries read, and `up`, sorted. A histogram counts by its series
 * names. Names with a colon are records, and `ALERTS` belongs to Prometheus.
 */
export const metricsRead = (groups: readonly RuleGroup[]): string[] => {
  const names = groups.flatMap(({ rules }) =>
    rules.flatMap((rule) => [
      ...namesIn(rule.expr),
      ...('alert' in rule ? Object.values(rule.annotations).flatMap(queriesIn).flatMap(namesIn) : []),
    ]),
  );
  return [...new Set(names)].filter((name) => !name.includes(':') && name !== 'ALERTS').sort();
};
