import type { Alert } from './alert.ts';
import { alerts } from './alerts.ts';
import { ofHost, Promql } from './promql.ts';
import { dom0Rules, guestRules, hostRules, identityRules, type RecordingRule } from './recording-rules.ts';

/** What a user may change of the pack. */
export interface PackOptions {
  /** A regular expression for the label job of all exporters. */
  job: string;
  /** Where runbooks are: the alert's name and .md follow. */
  runbookUrl: string;
  /** Thresholds other than the pack's, by the alert's name. */
  thresholds: ReadonlyMap<string, number>;
}

export const defaultPackOptions: PackOptions = {
  job: 'xen',
  runbookUrl: 'https://example.org/xen-exporter/runbooks/',
  thresholds: new Map(),
};

export interface AlertingRule {
  alert: string;
  expr: string;
  for: string;
  keep_firing_for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface RuleGroup {
  name: string;
  rules: (RecordingRule | AlertingRule)[];
}

/** Of the guest with the label uuid, as a template of Prometheus. */
const strongestCause = (runbookUrl: string): string =>
  `{{ range query (printf "topk(1, uuid_cause:xen_accept_path_cause_score:ratio{uuid=\\"%s\\"} > 1)" $labels.uuid) }} Strongest cause: {{ .Labels.cause }}, {{ .Value | humanize }} times its threshold, ${runbookUrl}{{ .Labels.cause }}.md{{ else }} No hop of the accept path is over its threshold.{{ end }}`;

/** All rules: recording rules first, in the order in which they build on each other. */
export function rulePack(options: PackOptions): RuleGroup[] {
  const p = new Promql(options.job);
  const thresholdOf = ({ name, threshold }: Alert): number => options.thresholds.get(name) ?? threshold.value;

  const score: RecordingRule = {
    record: 'uuid_cause:xen_accept_path_cause_score:ratio',
    expr: alerts
      .filter(({ kind }) => kind === 'cause')
      .map((alert) => {
        const measure = alert.about === 'host' ? ofHost(alert.measure(p)) : alert.measure(p);
        return `label_replace((${measure}) / ${thresholdOf(alert)}, "cause", "${alert.name}", "", "")`;
      })
      .join('\n  or\n'),
  };

  const fired = (alert: Alert): string => {
    const over = `(${alert.measure(p)}) > ${thresholdOf(alert)}`;
    // Whose exporter it is was said by itself, when it could still be scraped.
    if (alert.about === 'exporter') {
      const identity = 'topk by (job, instance) (1, last_over_time(instance:xen_exporter_identity:info[1d]))';
      return `(${over}) * on (job, instance) group_left (domain, host) ${identity}\n  or\n(${over}) unless on (job, instance) ${identity}`;
    }
    if (alert.about === 'host') return `label_replace(${over}, "host", "$1", "instance", "(.*)")`;
    return `(${over}) * on (uuid) group_left (domain, host) uuid:xen_guest_identity:info`;
  };

  const alertingRule = (alert: Alert): AlertingRule => ({
    alert: alert.name,
    expr: fired(alert),
    for: alert.for,
    ...(alert.keepFiringFor === undefined ? {} : { keep_firing_for: alert.keepFiringFor }),
    labels: { severity: alert.severity, kind: alert.kind },
    annotations: {
      summary: alert.summary,
      description: alert.description + (alert.kind === 'symptom' ? strongestCause(options.runbookUrl) : ''),
      runbook_url: `${options.runbookUrl}${alert.name}.md`,
    },
  });

  const ofKind = (...kinds: Alert['kind'][]): AlertingRule[] =>
    alerts.filter(({ kind }) => kinds.includes(kind)).map(alertingRule);

  return [
    {
      name: 'xen-accept-path',
      // One group: its rules are evaluated one after another, each upon those before it.
      rules: [
        ...identityRules(p),
        ...guestRules(p),
        ...hostRules(p),
        ...dom0Rules(p),
        score,
        ...ofKind('symptom', 'cause'),
      ],
    },
    { name: 'xen-exporter', rules: ofKind('meta') },
  ];
}
