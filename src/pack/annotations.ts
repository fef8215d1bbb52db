import { stepOf, type Alert, type AlertLevel } from './alerts/alert.ts';
import { causesOfHosts } from './alerts/page-alerts.ts';
import { dashboardUids, dashboardVariables } from './dashboards.ts';
import type { Promql } from './promql.ts';
import { pageCause, recentScore } from './recording/page-causes.ts';
import { scoreName } from './recording/score.ts';
import { each, firstOf, query, value } from './template.ts';
import { readingTemplate } from './wording.ts';

/** A scored measure of a cause, with the user's changes. */
export interface ScoredLevel {
  alert: Alert;
  level: AlertLevel;
  threshold: number;
  /** The value of the score's label `level`. */
  label: string;
}

/** Options of the annotations. */
export interface AnnotationOptions {
  /** PromQL of the pack for text that is a printf format. */
  p: Promql;
  runbookUrl: string;
  grafanaUrl: string;
  causes: readonly ScoredLevel[];
}

/** The dashboard of an alert, opened on the alert's subject. */
const dashboardOf = ({ about }: Alert): string =>
  about === 'rules'
    ? `${dashboardUids.exporter}?var-${dashboardVariables.exporter}=$__all`
    : `${dashboardUids[about]}?var-${dashboardVariables[about]}={{ $labels.${about === 'guest' ? 'uuid' : 'instance'} }}`;

const hostToRunOn =
  '{{ if match "^(unknown)?$" $labels.host }}the host{{ else }}host {{ $labels.host | stripPort }}{{ end }}';
/** The machine on which to type the alert's command. */
const runOn = (alert: Alert): string => {
  const { on } = stepOf(alert.command);
  if (on === 'dom0') return hostToRunOn;
  return on === 'guest' ? 'guest {{ $labels.domain }}' : 'the host of Prometheus';
};

/** Names a cause and states its value. The dot is its score. */
const named = (causes: readonly ScoredLevel[]): string =>
  `{{ .Labels.cause }}${firstOf(
    causes.map((cause) => ({
      condition: `and (eq .Labels.cause "${cause.alert.name}") (eq .Labels.level "${cause.label}")`,
      body: ` (${readingTemplate(cause)})`,
    })),
  )}`;

/** The causes of an alert's subject. */
interface Causes {
  /** All possible causes. */
  all: readonly ScoredLevel[];
  /** Query of the strongest cause. Empty if no cause exceeds its threshold. */
  strongest: string;
  /** Query of the two strongest causes, strongest first. */
  top: string;
  /** Template of a cause with its value. The dot is a result of one of the queries. */
  named: string;
}

const causesOfGuest = (all: readonly ScoredLevel[]): Causes => {
  const scores = `(${scoreName}{uuid=%q,netns=""} or ${scoreName}{uuid=%q,netns=%q} or ${recentScore}{uuid=%q}) > 1`;
  const labels = ['$labels.uuid', '$labels.uuid', '$labels.netns', '$labels.uuid'];
  return {
    all,
    strongest: query(`topk(1, ${scores})`, ...labels),
    top: query(`sort_desc(topk(2, topk by (cause) (1, ${scores})))`, ...labels),
    named: named(all),
  };
};

/** The host's causes, by the number of guests whose page names them. */
const causesOfHost = (causes: readonly ScoredLevel[]): Causes => {
  const all = causes.filter(({ alert }) => causesOfHosts.includes(alert.name));
  const ofHost = 'on (uuid) uuid:xen_guest_identity:info{host=%q}';
  const counts = `count by (cause) (${pageCause}{cause=~"${causesOfHosts.join('|')}"} and ${ofHost})`;
  return {
    all,
    strongest: query(`topk(1, ${counts})`, '$labels.host'),
    top: query(`sort_desc(topk(2, ${counts}))`, '$labels.host'),
    named: each(
      query(
        `topk(1, (${scoreName}{cause=%q} or ${recentScore}{cause=%q}) and ${ofHost})`,
        '.Labels.cause',
        '.Labels.cause',
        '$labels.host',
      ),
      named(all),
      '{{ .Labels.cause }}',
    ),
  };
};

/** The alerts of the causes, without duplicates. */
const alertsOf = ({ all }: Causes): Alert[] => [...new Set(all.map(({ alert }) => alert))];

/** Picks the text of the strongest cause. */
const byCause = (causes: Causes, textOf: (alert: Alert) => string): string =>
  firstOf(
    [...Map.groupBy(alertsOf(causes), textOf)].map(([body, alerts]) => ({
      condition: `eq .Labels.cause ${alerts.map(({ name }) => `"${name}"`).join(' ')}`,
      body,
    })),
  );

/** States how many guests of the host suffer. `least` replaces the count when the records are empty. */
const scope = (least: number): string => {
  const guests = 'uuid:xen_guest_identity:info{host=%q}';
  const all = each(query(`count(${guests})`, '$labels.host'), value('%.0f'));
  const some = each(query(`count(${guests} and on (uuid) ${pageCause})`, '$labels.host'), value('%.0f'), String(least));
  return `{{ if ne $labels.host "unknown" }} Guests of this host that refuse or lose connections: ${some} of ${all}.{{ end }}`;
};

const ofSymptom = (
  alert: Alert,
  level: AlertLevel,
  description: string,
  options: AnnotationOptions,
): Record<string, string> => {
  const causes = alert.about === 'host' ? causesOfHost(options.causes) : causesOfGuest(options.causes);
  const top = each(
    `$rank, $cause := ${causes.top}`,
    ` {{ if $rank }}Next{{ else }}Cause{{ end }}: ${causes.named}.`,
    ' No hop of the accept path is over its threshold.',
  );
  const strongest = (one: string, none: string): string => each(causes.strongest, one, none);
  /** The cause in the alert's labels; empty if it has none. */
  const own = alert.measureLabels?.includes('cause') ? '{{ $labels.cause }}' : '';
  return {
    summary: `${alert.summary}: ${strongest('{{ .Labels.cause }}', own || 'no cause found')}`,
    description: `${description}${top}${alert.about === 'guest' ? scope(level.severity === 'critical' ? 1 : 0) : ''}`,
    cause: strongest('{{ .Labels.cause }}', own),
    hop: strongest(
      byCause(causes, ({ hop }) => hop),
      alert.hop,
    ),
    command: strongest(
      byCause(causes, ({ command }) => stepOf(command).command),
      stepOf(alert.command).command,
    ),
    run_on: strongest(byCause(causes, runOn), runOn(alert)),
    cause_runbook_url: strongest(`${options.runbookUrl}{{ .Labels.cause }}.md`, ''),
  };
};

/** Returns the annotations of an alert's level. */
export const annotationsOf = (alert: Alert, level: AlertLevel, options: AnnotationOptions): Record<string, string> => {
  const own = level.description ?? alert.description;
  const description = typeof own === 'string' ? own : own(options.p);
  return {
    ...(alert.kind === 'symptom'
      ? ofSymptom(alert, level, description, options)
      : {
          summary: alert.summary,
          description,
          hop: alert.hop,
          command: stepOf(alert.command).command,
          run_on: runOn(alert),
        }),
    runbook_url: `${options.runbookUrl}${alert.name}.md`,
    dashboard_url: `${options.grafanaUrl}d/${dashboardOf(alert)}`,
  };
};
