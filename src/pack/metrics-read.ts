import type { RuleGroup } from './pack.ts';
import { queriesIn } from './template.ts';

const strings = /"(?:[^"\\]|\\.)*"/g;

// Promql writes each metric with a matcher of its job.
const namesIn = (expr: string): string[] =>
  [...expr.replace(strings, '').matchAll(/[\w:]+(?=\{)/g)].map(([name]) => name);

/**
 * The metrics of exporters that rules and the queries of annotations read, and `up`, sorted: a histogram by the names of its series. Names with a
 * colon are those of recorded rows, and `ALERTS` is Prometheus's own.
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
