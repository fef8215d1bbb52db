import type { Alert } from '../alerts/alert.ts';
import { hostInputs } from '../inputs.ts';
import { alertSeries, by, promql, withGuest, type Promql } from '../promql.ts';
import { cpuRules } from './derived.ts';
import { ofHost } from './identity.ts';
import type { RecordingRule } from './recording-rule.ts';
import { scoreName } from './score.ts';

// Records of guests that have a pending or firing page. A healthy fleet has none.
//
// A page fires within a minute, as soon as a full queue shows in five-minute rates. Many causes do not show yet: at
// half of Dom0's wanted CPU time stolen, two minutes pass until the five-minute ratio is a fifth. So pages also use the
// host's causes, and steal, over the recent window.

/** How often the named cause has changed since the guest's page fired, with the label `cause`. */
export const pageCause = 'uuid:xen_page_cause:changes';
/** Guests of a host with a pending or firing page that names a host cause. Absent if no page fires. */
export const harmedGuests = 'instance:xen_harmed_guests:count';

/** Score of a cause over the recent window. */
export const recentScore = 'uuid_cause:xen_page_recent_cause_score:ratio';
const recentSteal = 'uuid:xen_page_steal:recent';
const recentLoss = 'uuid:xen_page_loss:recent';
const pageScore = 'uuid_cause:xen_page_cause_score:ratio';
const strongestScore = 'uuid:xen_page_strongest_cause_score:ratio';

/**
 * Factor by which another cause must exceed the named one to replace it. Causes of one trouble are often nearly equal.
 */
const margin = 1.5;
/** Time for which another cause must be strongest to replace the named one. */
const settled = '2m';

const page = (pages: readonly string[], ...matchers: readonly string[]): string =>
  alertSeries(`alertname=~"${pages.join('|')}"`, ...matchers);
const firingPage = (pages: readonly string[]): string => page(pages, 'alertstate="firing"');

/** A cause and the PromQL of its measure. */
export interface MeasuredCause {
  name: string;
  hop: string;
  about: Alert['about'];
  measure: string;
  threshold: number;
}

const hostRecord = /\b(instance:xen_\w+:(?:\w+_)?)rate5m\b/g;

/** The same PromQL over the hosts' records of the recent window. */
const ofRecentHosts = (expr: string): string => expr.replaceAll(hostRecord, '$1recent');

/** Records over the recent window for causes about hosts. */
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

/**
 * Steal over the recent window relative to earlier run time. The guest now runs less, so the ratio is a lower bound.
 */
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

/** Growth per second of each guest's counter over the recent window. */
const recentRate = (p: Promql, name: string, ...matchers: readonly string[]): string =>
  by('sum', 'uuid', withGuest(by('sum', 'instance', p.recently.rate(name, ...matchers))));

/**
 * The cause that notifications name for each guest. It follows the strongest cause until the page fires. `pages` are
 * the names of the alerts that page about guests. Prometheus evaluates these rules before those alerts, so they read
 * the state of the previous evaluation.
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
    // True while the harm continues. Afterwards a page still fires for minutes while cause rates fall, each by its own
    // window.
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
    // A cause in a different network namespace than the page is not its cause.
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
    // In order: another cause that has settled, the named cause, the strongest cause, a row without a cause.
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

/** `causes` are the host's causes. Prometheus evaluates this rule after the alerts that page about guests. */
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
