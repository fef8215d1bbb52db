import { dump } from 'js-yaml';
import type { RuleGroup } from './pack.ts';

/** A rule file of Prometheus, Mimir or the Thanos ruler. */
export const ruleFile = (groups: readonly RuleGroup[]): string => yaml({ groups });

/** The pack as a PrometheusRule of the Prometheus Operator. */
export const prometheusRule = (groups: readonly RuleGroup[]): string =>
  yaml({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'xen-exporter', labels: { 'app.kubernetes.io/name': 'xen-exporter' } },
    spec: { groups },
  });

const yaml = (content: object): string =>
  `# Made by xen-exporter rules; change flags or src/pack, not this file.\n${dump(content, { lineWidth: -1, noRefs: true })}`;
