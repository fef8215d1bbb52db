import { degreesOf, whenClientsAreHarmed, type Alert, type AlertKind, type Degree, type Severity } from './alert.ts';
import { isEnabled, levelOf, type AlertChanges, type Level } from './alert-changes.ts';
import { alertNamed, alerts } from './alerts.ts';
import { dashboardUids, dashboardVariables } from './dashboards.ts';
import { ofHost, Promql } from './promql.ts';
import type { RecordingRule } from './recording-rule.ts';
import { dom0Rules, guestRules, hostRules, identityRules } from './recording-rules.ts';
import { acceptWaitRules, grantAndEventRules } from './probe-rules.ts';

/** What a user may change of the pack. */
export interface PackOptions {
  /** A regular expression for the label job of all exporters. */
  job: string;
  /** How often Prometheus scrapes the exporters. */
  scrapeIntervalSeconds: number;
  /** Where runbooks are: the alert's name and .md follow. */
  runbookUrl: string;
  /** Where Grafana is: d/ and the uid of a dashboard follow. */
  grafanaUrl: string;
  /** What differs from the pack's own alerts. */
  alerts: AlertChanges;
}

export const defaultPackOptions: PackOptions = {
  job: 'xen',
  scrapeIntervalSeconds: 15,
  runbookUrl: 'https://example.org/xen-exporter/runbooks/',
  grafanaUrl: 'https://example.org/grafana/',
  alerts: {},
};

export interface AlertingRule {
  alert: string;
  expr: string;
  for: string;
  keep_firing_for?: string;
  labels: { severity: Severity; kind: AlertKind };
  annotations: Record<string, string>;
}

export interface RuleGroup {
  name: string;
  rules: (RecordingRule | AlertingRule)[];
}

/** By which name a user changes the threshold of an alert, or of another degree of it. */
export const thresholdKey = ({ name }: Alert, degree?: Degree): string =>
  degree === undefined ? `${name}.threshold` : `${name}.${degree.severity}.threshold`;

/** PromQL of what an alert measures, or a degree of it. Throws where that needs the threshold of an alert that the pack has not. */
export const measureOf = (options: PackOptions, alert: Alert, degree?: Degree): string =>
  (degree?.measure ?? alert.measure)(
    new Promql(options),
    (name) => levelOf(options.alerts, alertNamed(name)).threshold,
  );

/** The dashboard for an alert, asked to show what the alert is about. */
const dashboardOf = ({ about }: Alert): string =>
  `${dashboardUids[about]}?var-${dashboardVariables[about]}={{ $labels.${about === 'guest' ? 'uuid' : 'instance'} }}`;

/** A hop that is far from its limit has no score: a healthy fleet has next to none. */
export const leastScore = 0.5;
/** The record of each guest's causes, those in a network namespace of its with the label netns: how many times its threshold each is. */
export const scoreName = 'uuid_cause:xen_accept_path_cause_score:ratio';

/**
 * A template of Prometheus: one for the strongest cause of the guest with the label uuid, of which a cause in another network namespace than that
 * of the alert is none; or another where no hop is over its threshold.
 */
const strongestCause = (one: string, none: string): string =>
  `{{ range query (printf "topk(1, (${scoreName}{uuid=%q,netns=\\"\\"} or ${scoreName}{uuid=%q,netns=%q}) > 1)" $labels.uuid $labels.uuid $labels.netns) }}${one}{{ else }}${none}{{ end }}`;

/** The first command for whichever of these causes is the strongest. */
const commandOfCause = (causes: readonly Alert[]): string =>
  causes
    .map(({ name, command }, index) => `{{ ${index === 0 ? '' : 'else '}if eq .Labels.cause "${name}" }}${command}`)
    .concat(causes.length === 0 ? [] : ['{{ end }}'])
    .join('');

/** All rules: recording rules first, in the order in which they build on each other. */
export function rulePack(options: PackOptions): RuleGroup[] {
  const p = new Promql(options);
  const level = (alert: Alert, degree?: Degree): Level => levelOf(options.alerts, alert, degree);
  const enabled = alerts.filter((alert) => isEnabled(options.alerts, alert));
  const causes = enabled.filter(({ kind }) => kind === 'cause');

  /** What it measures, where that is over its threshold. */
  const over = (alert: Alert, degree?: Degree): string => {
    const { threshold } = level(alert, degree);
    const own = level(alert).threshold;
    const only = degree?.only ? ` ${degree.only}` : '';
    // A cause of a guest is measured once, for its score; unless that has other measures too, or lacks values this low.
    const isScore = !alert.also?.some(({ measure }) => measure) && threshold >= own * leastScore;
    if (alert.kind === 'cause' && alert.about === 'guest' && isScore) {
      return `${scoreName}{cause="${alert.name}"} * ${own} > ${threshold}${only}`;
    }
    return `(${measureOf(options, alert, degree)}) > ${threshold}${only}`;
  };

  /** A cause has a score for each measure of its own: a degree that differs in the threshold alone, or is for some guests only, adds nothing. */
  const scores = causes.flatMap((alert) => {
    const scored = (degree?: Degree): string => {
      const expr = measureOf(options, alert, degree);
      const score = `(${alert.about === 'host' ? ofHost(expr) : expr}) / ${level(alert, degree).threshold} > ${leastScore}`;
      return Object.entries({
        cause: alert.name,
        hop: alert.hop,
        ...(degree && { degree: degree.severity }),
      }).reduce(
        (all, [label, value]) => `label_replace(${all}, "${label}", "${value}", "", "")`,
        `max by (uuid, netns) (${score})`,
      );
    };
    const { also = [] } = alert;
    return [undefined, ...also.filter(({ only, measure }) => measure && (!only || only === whenClientsAreHarmed))].map(
      scored,
    );
  });
  const score: RecordingRule = {
    record: scoreName,
    expr: `max by (uuid, netns, cause, hop) (\n  ${scores.join('\n  or\n  ')}\n)`,
  };

  const identified = ({ about }: Alert, expr: string): string => {
    // Whose exporter it is was said by itself, when it could still be scraped.
    if (about === 'exporter')
      return `(${expr}) * on (job, instance) group_left (domain, host) instance:xen_exporter_identity:info`;
    if (about === 'host') return `label_replace(${expr}, "host", "$1", "instance", "(.*)")`;
    return `max by (uuid, netns) (${expr}) * on (uuid) group_left (domain, host) uuid:xen_guest_identity:info`;
  };

  const annotations = (alert: Alert, degree?: Degree): Record<string, string> => {
    const description = degree?.description ?? alert.description;
    const links = {
      runbook_url: `${options.runbookUrl}${alert.name}.md`,
      dashboard_url: `${options.grafanaUrl}d/${dashboardOf(alert)}`,
    };
    if (alert.kind !== 'symptom')
      return { summary: alert.summary, description, hop: alert.hop, command: alert.command, ...links };
    const cause = strongestCause(
      ` Strongest cause: {{ .Labels.cause }}, {{ .Value | humanize }} times its threshold, ${options.runbookUrl}{{ .Labels.cause }}.md`,
      ' No hop of the accept path is over its threshold.',
    );
    return {
      summary: alert.summary,
      description: description + cause,
      cause: strongestCause('{{ .Labels.cause }}', ''),
      hop: strongestCause('{{ .Labels.hop }}', alert.hop),
      command: strongestCause(commandOfCause(causes), alert.command),
      ...links,
    };
  };

  const alertingRule = (alert: Alert, degree?: Degree): AlertingRule => ({
    alert: alert.name,
    expr: identified(alert, over(alert, degree)),
    for: level(alert, degree).for,
    ...(alert.keepFiringFor === undefined ? {} : { keep_firing_for: alert.keepFiringFor }),
    labels: { severity: level(alert, degree).severity, kind: alert.kind },
    annotations: annotations(alert, degree),
  });

  const ofKind = (...kinds: AlertKind[]): AlertingRule[] =>
    enabled
      .filter(({ kind }) => kinds.includes(kind))
      .flatMap((alert) => degreesOf(alert).map((degree) => alertingRule(alert, degree)));

  // Rules of a group are evaluated one after another, each upon those before it; groups beside each other.
  return [
    { name: 'xen-identity', rules: identityRules(p) },
    { name: 'xen-guests', rules: [...guestRules(p), ...acceptWaitRules(p)] },
    { name: 'xen-hosts', rules: [...hostRules(p), ...dom0Rules(p), ...grantAndEventRules(p)] },
    { name: 'xen-accept-path', rules: [...(scores.length > 0 ? [score] : []), ...ofKind('symptom', 'cause')] },
    { name: 'xen-exporter', rules: ofKind('meta') },
  ];
}
