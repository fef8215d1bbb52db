import {
  whenClientsAreHarmed,
  type Alert,
  type AlertKind,
  type AlertLevel,
  type Hop,
  type Severity,
} from './alerts/alert.ts';
import { alertNamed, alerts } from './alerts/alerts.ts';
import { isEnabled, isMain, levelOf, type AlertChanges } from './alerts/changes.ts';
import { causesOfHosts, pageAlerts } from './alerts/page-alerts.ts';
import { symptoms } from './alerts/symptoms.ts';
import { annotationsOf, type AnnotationOptions } from './annotations.ts';
import { domainInputs, guestInputs, hostInputs } from './inputs.ts';
import { ofRecords, Promql, promql } from './promql.ts';
import { cpuRules, queueRules } from './recording/derived.ts';
import { identityLabels, identityRules, ofHost, withTargetLabels } from './recording/identity.ts';
import { harmedGuestsRule, pageCauseRules, recentHostRules, type MeasuredCause } from './recording/page-causes.ts';
import type { RecordingRule } from './recording/recording-rule.ts';
import { leastScore, scoreName } from './recording/score.ts';

/** The options of the pack. */
export interface PackOptions {
  /** Regular expression for the job label of all exporters. */
  job: string;
  /** Matchers of the target labels of hosts. Only these targets are trusted for domains and vifs. */
  hostSelector: string;
  /** Target labels, such as `site`, that alerts keep. */
  keptLabels: readonly string[];
  /** How often Prometheus scrapes the exporters. */
  scrapeIntervalSeconds: number;
  /** Base URL of the runbooks; the alert's name and .md follow. */
  runbookUrl: string;
  /** Base URL of Grafana; d/ and a dashboard uid follow. */
  grafanaUrl: string;
  /** Differences from the pack's own alerts. */
  alerts: AlertChanges;
}

export const defaultPackOptions: PackOptions = {
  job: 'xen',
  hostSelector: 'xen_role="host"',
  keptLabels: [],
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

/** The name by which a user changes a level's threshold. */
export const thresholdKey = (alert: Alert, level: AlertLevel): string =>
  isMain(alert, level) ? `${alert.name}.threshold` : `${alert.name}.${level.severity}.threshold`;

/** PromQL of the pack. */
const promqlOf = (options: PackOptions): Promql =>
  new Promql({ ...options, thresholdOf: (name) => levelOf(options.alerts, alertNamed(name)).threshold });

/** PromQL of a level's measure. Throws if it needs the threshold of an alert that the pack lacks. */
export const measureOf = (options: PackOptions, alert: Alert, level: AlertLevel): string =>
  (level.measure ?? alert.measure)(promqlOf(options));

/** The groups of causes by hop. Prometheus evaluates groups concurrently. */
const causeGroups: readonly { name: string; hops: readonly Hop[] }[] = [
  { name: 'xen-causes-queues', hops: ['accept queue', 'SYN queue'] },
  { name: 'xen-causes-cpu', hops: ['vCPU', 'Dom0 vCPU'] },
  { name: 'xen-causes-events', hops: ['netfront', 'event channel'] },
  { name: 'xen-causes-network', hops: ['uplink', 'vif', 'netback', 'grant table'] },
];

/** All rules. Recording rules come first, in dependency order. */
export function rulePack(options: PackOptions): RuleGroup[] {
  const p = promqlOf(options);
  const thresholdOf = (alert: Alert, level: AlertLevel): number => levelOf(options.alerts, alert, level).threshold;
  const enabled = alerts.filter((alert) => isEnabled(options.alerts, alert));
  const causes = enabled.filter(({ kind }) => kind === 'cause');

  /** The level that supplies the measure: the level itself, or the main level. */
  const measured = (alert: Alert, level: AlertLevel): AlertLevel => (level.measure ? level : alert.levels[0]);
  /** A cause has a score for each of its measures, except a measure that is narrowed to guests without exporters. */
  const isScored = (alert: Alert, level: AlertLevel): boolean =>
    alert.kind === 'cause' &&
    measured(alert, level) === level &&
    (level.only === undefined || level.only === whenClientsAreHarmed);
  const scoreLabels = (alert: Alert, level: AlertLevel): Record<string, string> => ({
    cause: alert.name,
    hop: alert.hop,
    ...(isMain(alert, level) ? {} : { level: level.severity }),
  });

  const scoreOf = (alert: Alert, level: AlertLevel): string => {
    const threshold = thresholdOf(alert, level);
    // Filter first, so that fewer rows are divided.
    const score = promql`
      (
        (
          ${measureOf(options, alert, level)}
        ) > ${Number((leastScore * threshold).toPrecision(12))}
      ) / ${threshold}`;
    return Object.entries(scoreLabels(alert, level)).reduce(
      (expr, [label, value]) => promql`
        label_replace(
          ${expr},
          "${label}", "${value}", "", ""
        )`,
      alert.about === 'host' ? ofHost(score) : score,
    );
  };
  const scored = causes.flatMap((alert) =>
    alert.levels.filter((level) => isScored(alert, level)).map((level) => ({ alert, level })),
  );
  const scores = scored.map(({ alert, level }) => scoreOf(alert, level));

  /** The measure of a level where it exceeds its threshold. */
  const over = (alert: Alert, level: AlertLevel): string => {
    const threshold = thresholdOf(alert, level);
    const own = measured(alert, level);
    const unit = thresholdOf(alert, own);
    const only = level.only === undefined ? '' : `\n  ${level.only}`;
    // The guest's score is already recorded, but without low values.
    if (isScored(alert, own) && alert.about === 'guest' && threshold >= unit * leastScore) {
      const { cause, level: name = '' } = scoreLabels(alert, own);
      return `${scoreName}{cause="${cause}",level="${name}"} * ${unit} > ${threshold}${only}`;
    }
    return promql`
      (
        ${measureOf(options, alert, level)}
      ) > ${threshold}${only}`;
  };

  const identified = ({ about, measureLabels = [] }: Alert, expr: string): string => {
    if (about === 'rules') return expr;
    const labels = identityLabels(p);
    if (about === 'guest')
      return promql`
        max by (${['uuid', 'netns', ...measureLabels].join(', ')}) (
          ${expr}
        )
          * on (uuid) group_left (${labels}) uuid:xen_guest_identity:info`;
    if (about === 'host')
      return withTargetLabels(
        p,
        promql`
          label_replace(
            ${expr},
            "host", "$1", "instance", "(.*)"
          )`,
      );
    return promql`
      (
        ${expr}
      )
        * on (instance) group_left (${labels}) instance:xen_exporter_identity:info`;
  };

  const annotationOptions: AnnotationOptions = {
    // The text is a printf format.
    p: promqlOf({ ...options, job: options.job.replaceAll('%', '%%') }),
    runbookUrl: options.runbookUrl,
    grafanaUrl: options.grafanaUrl,
    causes: scored.map(({ alert, level }) => ({
      alert,
      level,
      threshold: thresholdOf(alert, level),
      label: scoreLabels(alert, level)['level'] ?? '',
    })),
  };

  const alertingRule = (alert: Alert, level: AlertLevel): AlertingRule => ({
    alert: alert.name,
    expr: identified(alert, over(alert, level)),
    for: levelOf(options.alerts, alert, level).for,
    ...(alert.keepFiringFor === undefined ? {} : { keep_firing_for: alert.keepFiringFor }),
    labels: { severity: levelOf(options.alerts, alert, level).severity, kind: alert.kind },
    annotations: annotationsOf(alert, level, annotationOptions),
  });

  const rulesOf = (alert: Alert): AlertingRule[] => alert.levels.map((level) => alertingRule(alert, level));
  const ofKind = (kind: AlertKind): AlertingRule[] => enabled.filter((alert) => alert.kind === kind).flatMap(rulesOf);
  const enabledOf = (all: readonly Alert[]): Alert[] => all.filter((alert) => enabled.includes(alert));
  /** Names of the alerts that page about a guest. */
  const pages = enabledOf(symptoms)
    .filter((alert) => levelOf(options.alerts, alert).severity === 'critical')
    .map(({ name }) => name);
  const hasPageCauses = pages.length > 0 && scores.length > 0;
  const measuredCauses: MeasuredCause[] = causes.map((alert) => ({
    name: alert.name,
    hop: alert.hop,
    about: alert.about,
    measure: measureOf(options, alert, alert.levels[0]),
    threshold: thresholdOf(alert, alert.levels[0]),
  }));
  // Prometheus evaluates the rules of a group in sequence at one timestamp, and groups concurrently at their own times.
  // A rule that subtracts or divides records shares their group. Symptoms name their cause when they start to fire, so
  // scores precede them. Alerts about guests' pages fire in the same evaluation as the pages, so Alertmanager has them
  // when it groups.
  return [
    { name: 'xen-identity', rules: identityRules(p) },
    { name: 'xen-queues', rules: [...guestInputs.queues(p), ...queueRules, ...guestInputs.probes(p)] },
    { name: 'xen-cpu', rules: [...domainInputs.cpu(p), ...guestInputs.cpu(p), ...cpuRules] },
    { name: 'xen-network', rules: [...domainInputs.network(p), ...guestInputs.network(p)] },
    {
      name: 'xen-hosts',
      rules: [
        ...hostInputs.hosts(p),
        ...hostInputs.probes(p),
        ...(hasPageCauses ? recentHostRules(p, measuredCauses) : []),
      ],
    },
    {
      name: 'xen-accept-path',
      rules: [
        ...(scores.length > 0 ? [{ record: scoreName, expr: scores.join('\n  or\n') }] : []),
        ...(hasPageCauses ? pageCauseRules(p, pages, measuredCauses) : []),
        ...enabledOf(symptoms).flatMap(rulesOf),
        ...(hasPageCauses ? [harmedGuestsRule(pages, causesOfHosts), ...enabledOf(pageAlerts).flatMap(rulesOf)] : []),
      ],
    },
    ...causeGroups.map(({ name, hops }) => ({
      name,
      rules: causes.filter(({ hop }) => hops.includes(hop)).flatMap(rulesOf),
    })),
    { name: 'xen-exporters', rules: ofKind('meta') },
  ]
    .filter(({ rules }) => rules.length > 0)
    .map(({ name, rules }) => ({ name, rules: rules.map((rule) => ({ ...rule, expr: ofRecords(rule.expr) })) }));
}
