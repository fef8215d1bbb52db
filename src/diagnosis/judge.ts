import {
  filledCommand,
  guestWord,
  hops,
  severities,
  stepOf,
  type Alert,
  type AlertLevel,
  type Severity,
} from '../pack/alerts/alert.ts';
import { alertNamed, alerts } from '../pack/alerts/alerts.ts';
import { pageAlerts } from '../pack/alerts/page-alerts.ts';
import { titleInWords } from '../pack/alerts/title.ts';
import { alertsWithoutData, type BlindAlert } from '../pack/alerts-without-data.ts';
import { recentScore } from '../pack/recording/page-causes.ts';
import { scoreName } from '../pack/recording/score.ts';
import { readingInWords } from '../pack/wording.ts';
import { alertsName } from '../promql/active-alerts.ts';
import { evaluate, type Moment } from '../promql/evaluate.ts';
import type { Labels, Sample } from '../promql/labels.ts';
import type { AlertingRule, Rule } from '../promql/tree.ts';
import type { CompiledPack } from './compiled-pack.ts';
import { summaryOf } from './summary.ts';
import type { Target } from './target.ts';
import { unseenOf } from './unseen.ts';
import type { Cause, Finding, GuestVerdict, HopReading, HostVerdict, Status, Unseen, Verdict } from './verdict.ts';

interface Watched {
  pack: CompiledPack;
  rules: readonly Rule[];
  moment: Moment;
  /** How far the longest ranges look back. */
  windowMs: number;
  /** The time since the first sample. */
  observedMs: number;
  targets: readonly Target[];
  /** Names of metrics by the instance that has them. */
  metrics: ReadonlyMap<string, ReadonlySet<string>>;
  unseen: readonly Unseen[];
}

/** The worst first. */
const order: readonly Status[] = ['critical', 'warning', 'unknown', 'ok'];

const worst = (all: readonly Status[]): Status => order.find((status) => all.includes(status)) ?? 'ok';

const statusOf = (severity: Severity): Status => (severity === 'critical' || severity === 'warning' ? severity : 'ok');

/** An alert that fires. */
interface Fired {
  alert: Alert;
  level: AlertLevel;
  labels: Labels;
  value: number;
}

/** Alerts that only route notifications, and the watchdog. */
const isAboutNotifications = (alert: Alert): boolean =>
  alert.about === 'rules' || (alert.about === 'guest' && pageAlerts.includes(alert));

const identifying = new Set(['uuid', 'domain', 'host', 'instance', 'job', 'cause', 'hop', 'level']);

const othersOf = (labels: Labels): Record<string, string> => {
  const others: Record<string, string> = {};
  for (let at = 0; at < labels.pairs.length; at += 2)
    if (!identifying.has(labels.pairs[at]!)) others[labels.pairs[at]!] = labels.pairs[at + 1]!;
  return others;
};

/** The worst severity of an alert among those that fire. Undefined if it does not. */
const firedSeverity = (fired: readonly Fired[], alert: Alert): Severity | undefined =>
  severities.find((severity) => fired.some((each) => each.alert === alert && each.level.severity === severity));

const isUuidOf =
  (uuid: string) =>
  ({ labels }: { labels: Labels }): boolean =>
    labels.get('uuid') === uuid;

/** Makes the verdict at a moment. */
export const judge = ({ pack, rules, moment, windowMs, observedMs, targets, metrics, unseen }: Watched): Verdict => {
  const rows = (name: string): Sample[] =>
    evaluate({ kind: 'selector', name, matchers: [], offsetMs: 0 }, moment) as Sample[];
  const firing = new Set(rows(alertsName).map(({ labels }) => labels.key));

  const firedBy = (rule: AlertingRule): Fired[] => {
    const alert = alertNamed(rule.alert);
    const level = alert.levels.find(({ severity }) => severity === rule.labels['severity'])!;
    const asAlert = (labels: Labels): Labels =>
      Object.entries({ ...rule.labels, alertname: rule.alert, alertstate: 'firing' }).reduce(
        (all, [name, value]) => all.with(name, value),
        labels,
      );
    return (evaluate(rule.expr, moment) as Sample[])
      .filter(({ labels }) => firing.has(asAlert(labels).key))
      .map(({ labels, value }) => ({ alert, level, labels, value }));
  };
  const fired = rules
    .filter((rule) => 'alert' in rule)
    .filter(({ alert }) => !isAboutNotifications(alertNamed(alert)))
    .flatMap((rule) => {
      try {
        return firedBy(rule);
      } catch {
        // The recorder has reported it.
        return [];
      }
    });

  const instanceOfGuest = new Map(
    rows('instance:xen_guest_uuid:info').map(({ labels }) => [labels.get('uuid'), labels.get('instance')]),
  );

  const findingOf = (
    { alert, level, labels, value }: Fired,
    { domain, host }: { domain: string; host: string },
  ): Finding => {
    const instance = labels.get('instance') || instanceOfGuest.get(labels.get('uuid')) || '';
    const filled = { domain, instance, netns: labels.get('netns') };
    const threshold = level.threshold.value;
    const others = othersOf(labels);
    const title = titleInWords(alert, { ...others, ...filled, host });
    return {
      alert: alert.name,
      title,
      severity: level.severity,
      hop: alert.hop,
      value,
      threshold,
      evidence: (level.reading ?? alert.reading) ? readingInWords({ alert, level, threshold }, value) : title,
      labels: others,
      firstStep: stepOf(filledCommand(alert.command, filled)),
      runbook: `${alert.name}.md`,
    };
  };
  const causeOf = (fired: Fired, about: { domain: string; host: string }): Cause => {
    const { setUp, mitigations } = pack.measures[fired.alert.name]!;
    return {
      ...findingOf(fired, about),
      score: fired.value / fired.level.threshold.value,
      setUp: setUp.map(({ on, command }) => ({ on, command: command.replaceAll('<GUEST>', guestWord(about.domain)) })),
      mitigations,
    };
  };

  const scores = Map.groupBy([...rows(scoreName), ...rows(recentScore)], ({ labels }) => labels.get('uuid'));
  /** The strongest row of each cause, in the unit of its threshold. */
  const scored = (uuid: string): Fired[] => {
    const strongest = new Map<string, Sample>();
    for (const row of scores.get(uuid) ?? []) {
      const cause = row.labels.get('cause');
      if (row.value > (strongest.get(cause)?.value ?? 0)) strongest.set(cause, row);
    }
    return [...strongest.values()]
      .sort((one, other) => other.value - one.value)
      .map(({ labels, value }) => {
        const alert = alertNamed(labels.get('cause'));
        const named = labels.get('level');
        const level = alert.levels.find(({ severity }) => severity === named) ?? alert.levels[0];
        return { alert, level, labels, value: value * level.threshold.value };
      });
  };

  const hostFired = (instance: string): Fired[] =>
    fired.filter(({ alert, labels }) => alert.about === 'host' && labels.get('instance') === instance);

  const hopsOf = (causes: readonly Cause[], own: readonly Fired[], blind: readonly BlindAlert[]): HopReading[] => {
    const blindNames = new Set(blind.map(({ name }) => name));
    return hops
      .filter((hop) => hop !== 'exporter')
      .map((hop) => {
        const [strongest] = causes.filter((cause) => cause.hop === hop);
        const isBlind = alerts.every(
          (alert) => alert.hop !== hop || alert.kind !== 'cause' || blindNames.has(alert.name),
        );
        const statuses = own
          // A full accept queue is a symptom, and the hop shows it.
          .filter(({ alert }) => alert.hop === hop && (alert.kind === 'cause' || alert.about === 'guest'))
          .map(({ level }) => statusOf(level.severity));
        return {
          hop,
          status: isBlind && !strongest ? 'unknown' : worst(statuses),
          ...(strongest && { cause: strongest.alert, score: strongest.score }),
        };
      });
  };

  /** The alerts that lack metrics of the exporter in a guest and of the one of its host. */
  const blindFor = (uuid: string, host: string): BlindAlert[] =>
    alertsWithoutData(
      new Set([host, instanceOfGuest.get(uuid) ?? ''].flatMap((instance) => [...(metrics.get(instance) ?? [])])),
    );

  const hostInstances = new Set(targets.filter(({ isHost }) => isHost).map(({ instance }) => instance));
  const judged = rows('uuid:xen_guest_identity:info')
    .map(({ labels }): { guest: GuestVerdict; blind: BlindAlert[] } => {
      const [uuid, domain, knownHost] = [labels.get('uuid'), labels.get('domain'), labels.get('host')];
      const host = knownHost === 'unknown' ? '' : knownHost;
      const about = { domain, host };
      const ofGuest = fired.filter(isUuidOf(uuid)).filter(({ alert }) => alert.about === 'guest');
      const atHops = [...ofGuest, ...hostFired(host)];
      const causes = scored(uuid).map((each) => ({
        ...causeOf(each, about),
        severity: firedSeverity(atHops, each.alert) ?? each.level.severity,
      }));
      const blind = blindFor(uuid, host);
      const guest = {
        uuid,
        name: domain,
        ...(host !== '' && { host }),
        seenBy: { guest: instanceOfGuest.has(uuid), host: hostInstances.has(host) },
        status: worst(ofGuest.map(({ level }) => statusOf(level.severity))),
        symptoms: ofGuest.filter(({ alert }) => alert.kind === 'symptom').map((each) => findingOf(each, about)),
        causes,
        hops: hopsOf(causes, atHops, blind),
      };
      return { guest, blind };
    })
    .sort(
      ({ guest: one }, { guest: other }) =>
        order.indexOf(one.status) - order.indexOf(other.status) || one.name.localeCompare(other.name),
    );
  const guests = judged.map(({ guest }) => guest);

  const hosts = [...hostInstances].map((instance): HostVerdict => {
    const own = hostFired(instance);
    const about = { domain: '', host: instance };
    return {
      instance,
      status: worst(own.map(({ level }) => statusOf(level.severity))),
      symptoms: own.filter(({ alert }) => alert.kind === 'symptom').map((each) => findingOf(each, about)),
      causes: own.filter(({ alert }) => alert.kind === 'cause').map((each) => causeOf(each, about)),
    };
  });

  const exporters = fired
    .filter(({ alert }) => alert.kind === 'meta' && alert.name !== 'XenGuestExporterMissing')
    .map((each) => ({
      ...findingOf(each, { domain: each.labels.get('domain'), host: each.labels.get('host') }),
      instance: each.labels.get('instance') || each.labels.get('host'),
    }));

  const seenGuests = judged.map(({ guest: { name, seenBy }, blind }) => ({ name, seenBy, blind }));
  const notSeen = [...unseen, ...unseenOf({ rules, observedMs, guests: seenGuests, hasHost: hostInstances.size > 0 })];

  const isBlind = metrics.size === 0 || (guests.length === 0 && hosts.length === 0);
  const status = worst([
    ...(isBlind ? (['unknown'] as const) : []),
    ...guests.map((each) => each.status),
    ...hosts.map((each) => each.status),
    // Exporters in trouble harm no client.
    ...exporters.map(({ severity }) => (severity === 'info' ? 'ok' : 'warning')),
  ]);
  const found = { status, guests, hosts, exporters };
  return {
    time: moment.time / 1000,
    windowSeconds: Math.round(windowMs / 1000),
    ...found,
    summary: summaryOf(found, Math.round(windowMs / 1000)),
    unseen: notSeen,
  };
};
