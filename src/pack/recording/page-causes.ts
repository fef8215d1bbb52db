import type { Alert } from '../alerts/alert.ts';
import { hostInputs } from '../inputs.ts';
import { alertSeries, by, promql, withGuest, type Promql } from '../promql.ts';
import { cpuRules } from './derived.ts';
import { ofHost } from './identity.ts';
import type { RecordingRule } from './recording-rule.ts';
import { scoreName } from './score.ts';

// Records of guests about which a page is pending or fires. A healthy fleet has none of them.
//
// A page fires within a minute, when a full queue shows in rates over five minutes. Many causes do not yet: half of the CPU time that Dom0 wants must
// be stolen for two minutes until a fifth is, over five. So pages also know the host's causes, and steal, over the recent window.

/** How often the cause that notifications name has changed since the page about a guest fired, with the label `cause`. */
export const pageCause = 'uuid:xen_page_cause:changes';
/** Guests of a host about which a page is pending or fires, by a cause that belongs to the host; absent if none fires. */
export const harmedGuests = 'instance:xen_harmed_guests:count';

/** The score of a cause over the recent window. */
export const recentScore = 'uuid_cause:xen_page_recent_cause_score:ratio';
const recentSteal = 'uuid:xen_page_steal:recent';
const recentLoss = 'uuid:xen_page_loss:recent';
const pageScore = 'uuid_cause:xen_page_cause_score:ratio';
const strongestScore = 'uuid:xen_page_strongest_cause_score:ratio';

/** How much stronger than the named cause another one must be to take its place. Causes of one trouble are often nearly as strong. */
const margin = 1.5;
/** For how long another cause must be the strongest to take the place of the named one. */
const settled = '2m';

const page = (pages: readonly string[], ...matchers: readonly string[]): string =>
  alertSeries(`alertname=~"${pages.join('|')}"`, ...matchers);
const firingPage = (pages: readonly string[]): string => page(pages, 'alertstate="firing"');

/** A cause, and what it measures, in PromQL. */
export interface MeasuredCause {
  name: string;
  hop: string;
  about: Alert['about'];
  measure: string;
  threshold: number;
}

const hostRecord = /\b(instance:xen_\w+:(?:\w+_)?)rate5m\b/g;

/** The same PromQL over records of hosts over the recent window. */
const ofRecentHosts = (expr: string): string => expr.replaceAll(hostRecord, '$1recent');

/** The records over the recent window that causes about hosts need. */
export const recentHostRules = (p: Promql, causes: readonly MeasuredCause[]): RecordingRule[] => {
  const all = [...hostInputs.hosts(p.recently), ...hostInputs.probes(p.recently)];
  const needed = new Set<string>();
  const need = (expr: string): void => {
    for (const [name] of expr.matchAll(hostRecord)) {
      const rule = all.find(({ record }) => record === name);
      if (!rule || needed.has(name)) continue;
      needed.add(name);
      need(rule.expr);
    }
  };
  for (const { about, measure } of causes) if (about === 'host') need(measure);
  return all
    .filter(({ record }) => needed.has(record))
    .map(({ record, expr }) => ({ record: ofRecentHosts(record), expr: ofRecentHosts(expr) }));
};

const stealRatio = 'uuid:xen_steal:ratio_rate5m';

/** A measure of steal over the recent window, beside what the guest has run before. It runs less since, so the ratio is a lower bound. */
const ofRecentSteal = (expr: string): string => {
  const { expr: ratio } = cpuRules.find(({ record }) => record === stealRatio)!;
  return expr.replaceAll(stealRatio, `(${ratio})`).replaceAll('uuid:xen_steal:rate5m', recentSteal);
};

const recentScoreOf = (page: string, { name, hop, about, measure, threshold }: MeasuredCause): string => {
  const over = promql`
    (
      ${about === 'host' ? ofRecentHosts(measure) : ofRecentSteal(measure)}
    ) > ${threshold}`;
  return promql`
    label_replace(
      label_replace(
        (
          ${about === 'host' ? ofHost(over) : over}
        ) / ${threshold}
          and on (uuid) ${page},
        "cause", "${name}", "", ""
      ),
      "hop", "${hop}", "", ""
    )`;
};

const recentScores = (page: string, causes: readonly MeasuredCause[]): RecordingRule[] => {
  const scores = causes
    .filter(({ about, measure }) => about === 'host' || measure.startsWith(stealRatio))
    .map((cause) => recentScoreOf(page, cause));
  return scores.length === 0 ? [] : [{ record: recentScore, expr: scores.join('\n  or\n') }];
};

/** What grew of each guest over the recent window, a second. */
const recentRate = (p: Promql, name: string, ...matchers: readonly string[]): string =>
  by('sum', 'uuid', withGuest(by('sum', 'instance', p.recently.rate(name, ...matchers))));

/**
 * Which cause the notifications about a guest name. They follow the strongest cause until the page fires. `pages`: names of the alerts that page
 * about guests. Prometheus evaluates these rules before those alerts, so they read the state of the last evaluation.
 */
export const pageCauseRules = (
  p: Promql,
  pages: readonly string[],
  causes: readonly MeasuredCause[],
): RecordingRule[] => [
  {
    record: recentSteal,
    expr: promql`
      ${recentRate(p, 'xen_cpu_seconds_total', 'mode="steal"')}
        and on (uuid) ${page(pages)}`,
  },
  {
    // That the harm goes on. After it a page fires for minutes, while the rates of causes fall, each by its own window.
    record: recentLoss,
    expr: promql`
      (
        ${recentRate(p, 'xen_tcp_listen_overflows_total')} > 0
          or on (uuid)
        ${recentRate(p, 'xen_tcp_syn_retransmits_total')} > 0.1
      )
        and on (uuid) ${page(pages)}`,
  },
  ...recentScores(page(pages), causes),
  {
    // A cause in another network namespace than that of the page is none of its causes.
    record: pageScore,
    expr: promql`
      max by (uuid, cause) (
        ${scoreName}{netns=""} > 1
          and on (uuid) ${page(pages)}
          or
        ${scoreName}{netns!=""} > 1
          and on (uuid, netns) ${page(pages)}
          or
        ${recentScore}
      )`,
  },
  {
    record: strongestScore,
    expr: `topk by (uuid) (1, ${pageScore})`,
  },
  {
    // Another cause that has settled, else the one that was named, else the strongest, else a row without cause.
    record: pageCause,
    expr: promql`
      (
        0 * ${strongestScore}
          and on (uuid) ${firingPage(pages)}
          and on (uuid) ${recentLoss}
          and on (uuid, cause) (${strongestScore} offset ${settled})
          unless on (uuid) count by (uuid) (last_over_time(${strongestScore}[${settled}])) > 1
          unless on (uuid, cause) ${pageCause}
          unless on (uuid) (
            ${margin} * (${pageScore} and on (uuid, cause) ${pageCause})
              > on (uuid) ${strongestScore}
          )
      )
        + on (uuid) group_left () (max by (uuid) (${pageCause}) + 1)
        or on (uuid)
      ${pageCause}
        and on (uuid) ${firingPage(pages)}
        or on (uuid)
      0 * ${strongestScore}
        or on (uuid)
      0 * max by (uuid) (${page(pages)})`,
  },
];

/** `causes`: those that belong to a host. Prometheus evaluates the rule after the alerts that page about guests. */
export const harmedGuestsRule = (pages: readonly string[], causes: readonly string[]): RecordingRule => {
  const harmed = promql`
    uuid:xen_guest_identity:info{host!="unknown"}
      and on (uuid) ${pageCause}{cause=~"${causes.join('|')}"}`;
  return {
    record: harmedGuests,
    expr: promql`
      max by (instance) (
        label_replace(
          count by (host) (
            ${harmed}
          )
            and on (host) (
              ${harmed}
                and on (uuid) ${firingPage(pages)}
            ),
          "instance", "$1", "host", "(.*)"
        )
      )`,
  };
};
