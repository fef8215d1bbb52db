import type { RuleGroup } from './pack.ts';

const strings = /"(?:[^"\\]|\\.)*"/g;

/**
 * The metrics of exporters that rules read, and `up`, sorted: a histogram by the names of its series. Names with a colon are those of recorded rows,
 * which is all that the queries in annotations read.
 */
export const metricsRead = (groups: readonly RuleGroup[]): string[] => {
  const names = groups.flatMap(({ rules }) =>
    // Promql writes each metric with a matcher of its job.
    rules.flatMap(({ expr }) => [...expr.replace(strings, '').matchAll(/[\w:]+(?=\{)/g)].map(([name]) => name)),
  );
  return [...new Set(names)].filter((name) => !name.includes(':')).sort();
};
