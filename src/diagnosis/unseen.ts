import type { Alert } from '../pack/alerts/alert.ts';
import { causesInGuest } from '../pack/alerts/guest-causes.ts';
import { causesOnHost } from '../pack/alerts/host-causes.ts';
import { symptoms } from '../pack/alerts/symptoms.ts';
import type { BlindAlert } from '../pack/alerts-without-data.ts';
import { selectorsOf, type Rule } from '../promql/tree.ts';
import type { GuestVerdict, Unseen } from './verdict.ts';

/** A guest as the verdict sees it, and its alerts that lack metrics. */
export interface SeenGuest extends Pick<GuestVerdict, 'name' | 'seenBy'> {
  blind: readonly BlindAlert[];
}

const guestSide = [...symptoms, ...causesInGuest];
/** As many guests as a line names. */
const mostNames = 5;

const namesInWords = (names: readonly string[]): string =>
  names.length > mostNames
    ? `${names.slice(0, mostNames).join(', ')} and ${names.length - mostNames} more`
    : names.join(', ');

/**
 * Metrics that the exporters of these guests and of their hosts lack, by alert. A side without exporter has a line of
 * its own.
 */
const lackedMetrics = (guests: readonly SeenGuest[]): Unseen[] => {
  const namesBy = new Map<string, { what: string; lacks: string; names: string[] }>();
  const isOf = (side: readonly Alert[], { name }: BlindAlert): boolean => side.some((alert) => alert.name === name);
  for (const { name, seenBy, blind } of guests)
    for (const alert of blind) {
      if (!(seenBy.guest && isOf(guestSide, alert)) && !(seenBy.host && isOf(causesOnHost, alert))) continue;
      const lacks = alert.lacks.join(', ');
      const key = `${alert.name} ${lacks}`;
      const entry = namesBy.get(key) ?? { what: alert.name, lacks, names: [] };
      namesBy.set(key, entry);
      entry.names.push(name);
    }
  return [...namesBy.values()].map(({ what, lacks, names }) => ({
    what: `${what} for ${namesInWords(names)}`,
    why: `its exporters do not export ${lacks}`,
  }));
};

/** An offset from which on a rule needs history. Shorter ones only steady what notifications name. */
const leastHistoryMs = 30 * 60_000;

/**
 * How far back the offsets of a rule and of the rows that it reads look, in milliseconds, by the name of the row or
 * alert.
 */
const historyOf = (rules: readonly Rule[]): Map<string, number> => {
  const history = new Map<string, number>();
  for (const rule of rules) {
    const name = 'alert' in rule ? rule.alert : rule.record;
    const needed = selectorsOf(rule.expr).map(({ name: of, offsetMs }) => offsetMs + (history.get(of) ?? 0));
    history.set(name, Math.max(history.get(name) ?? 0, ...needed));
  }
  return history;
};

/** Alerts that compare with a time before the first sample. */
const withoutHistory = (rules: readonly Rule[], windowMs: number): Unseen[] => {
  const alerts = new Set(rules.flatMap((rule) => ('alert' in rule ? [rule.alert] : [])));
  return [...historyOf(rules)]
    .filter(([name, neededMs]) => alerts.has(name) && neededMs >= leastHistoryMs && neededMs > windowMs)
    .map(([name, neededMs]) => ({
      what: name,
      why: `it compares with ${Math.round(neededMs / 60_000)} minutes ago, and the samples go back ${Math.round(windowMs / 1000)} s`,
    }));
};

interface Watched {
  rules: readonly Rule[];
  /** The time since the first sample. */
  observedMs: number;
  guests: readonly SeenGuest[];
  hasHost: boolean;
}

/** Lists what the rules cannot see in these samples, and why. */
export const unseenOf = ({ rules, observedMs, guests, hasHost }: Watched): Unseen[] => {
  const without = (side: 'guest' | 'host'): string[] =>
    guests.filter(({ seenBy }) => !seenBy[side]).map(({ name }) => name);
  const [withoutExporter, withoutHost] = [without('guest'), without('host')];
  return [
    ...(hasHost ? [] : [{ what: 'hops on the host', why: 'no exporter of a Dom0 or driver domain was read' }]),
    ...(hasHost && withoutHost.length > 0
      ? [{ what: `hops on the host of ${namesInWords(withoutHost)}`, why: 'no exporter of this host was read' }]
      : []),
    ...(withoutExporter.length > 0
      ? [{ what: `inside ${namesInWords(withoutExporter)}`, why: 'no exporter in this guest was read' }]
      : []),
    ...lackedMetrics(guests),
    ...withoutHistory(rules, observedMs),
    // A vif counts as cut off if it was connected before.
    ...(hasHost
      ? [{ what: 'XenVifDisconnected', why: 'it sees only vifs that were connected when the samples began' }]
      : []),
  ];
};
