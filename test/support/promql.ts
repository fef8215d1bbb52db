import { parser } from '@prometheus-io/lezer-promql';
import { registry } from '../../src/collectors/registry.ts';
import { exporterMetrics } from '../../src/scrape/exporter-metrics.ts';

/** Names of the metrics that an expression selects. Throws if it is not PromQL. */
export const metricsIn = (expr: string): string[] => {
  const names: string[] = [];
  parser.parse(expr).iterate({
    enter: (node) => {
      if (node.type.isError) throw new Error(`no PromQL: ${expr}`);
      // A selector begins with the metric's name.
      if (node.name === 'VectorSelector') names.push(/^[\w:]*/.exec(expr.slice(node.from, node.to))![0]);
    },
  });
  return names;
};

/** Names of all series of an exporter, and of Prometheus about it. */
export const exportedMetrics: readonly string[] = [
  'up',
  'ALERTS',
  ...[...registry.flatMap(({ metrics }) => metrics), ...exporterMetrics].flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  ),
];
