import { alertsName } from '../../src/promql/active-alerts.ts';
import { evaluate } from '../../src/promql/evaluate.ts';
import { Labels, type Sample } from '../../src/promql/labels.ts';
import { Store } from '../../src/promql/store.ts';
import { defaultLookbackMs, windowsOf, type Expr, type Rule } from '../../src/promql/tree.ts';
import { parseSeries } from '../../tools/lib/exposition.ts';
import type { Scraped } from '../pack/scrape-interval.ts';

/** Series by name and labels, such as `up{job="xen"}`, with what each scrape brought. */
export type World = Readonly<Record<string, readonly Scraped[]>>;

/** The name and the labels that a text such as `up{job="xen"}` names. */
export const namedSeries = (text: string): { name: string; labels: Labels } => {
  const { name, labels } = parseSeries(text);
  return { name, labels: Labels.of(Object.entries(labels)) };
};

/** A store with all scrapes of a world, for these expressions. */
export const storeOf = (world: World, intervalSeconds: number, exprs: Iterable<Expr>): Store => {
  const store = new Store(windowsOf(exprs));
  for (const [text, scrapes] of Object.entries(world)) {
    const series = namedSeries(text);
    let stored;
    for (const [index, value] of scrapes.entries()) {
      const time = index * intervalSeconds * 1000;
      if (typeof value === 'number') stored = store.append({ ...series, value }, time) ?? stored;
      else if (value === 'stale') stored?.end(time);
    }
  }
  return store;
};

/** The names of the rows that rules write. */
export const rowNames = (rules: readonly Rule[]): Set<string> =>
  new Set(rules.map((rule) => ('alert' in rule ? alertsName : rule.record)));

/** The windows of rules, in which all of their rows can be seen too. */
export const windowsWithRows = (rules: readonly Rule[]): Map<string, number> => {
  const windows = windowsOf(rules.map(({ expr }) => expr));
  for (const name of rowNames(rules)) windows.set(name, Math.max(windows.get(name) ?? 0, defaultLookbackMs));
  return windows;
};

/** The samples of a metric in a store at a time. */
export const samplesOf = (store: Store, name: string, time: number): Sample[] =>
  evaluate({ kind: 'selector', name, matchers: [], offsetMs: 0 }, { store, time }) as Sample[];

/** Values by name and labels, as JSON with sorted names. */
export type Answer = ReadonlyMap<string, number>;

export const answerKey = (pairs: Iterable<readonly [string, string]>): string =>
  JSON.stringify(Object.fromEntries([...pairs].sort(([one], [other]) => (one < other ? -1 : 1))));

const keyOfSample = ({ name, labels: { pairs: flat } }: Sample): string => {
  const pairs: [string, string][] = name === '' ? [] : [['__name__', name]];
  for (let at = 0; at < flat.length; at += 2) pairs.push([flat[at]!, flat[at + 1]!]);
  return answerKey(pairs);
};

export const answerOf = (value: number | readonly Sample[]): Answer =>
  new Map(typeof value === 'number' ? [['{}', value]] : value.map((sample) => [keyOfSample(sample), sample.value]));

const isNear = (one: number, other: number): boolean =>
  Object.is(one, other) || one === other || Math.abs(one - other) <= 1e-9 * Math.max(Math.abs(one), Math.abs(other));

/** The differences of two answers: other series, or values that differ by more than 1e-9 of them. */
export const differences = (ours: Answer, theirs: Answer): string[] =>
  [...new Set([...ours.keys(), ...theirs.keys()])].flatMap((key) => {
    const [own, other] = [ours.get(key), theirs.get(key)];
    return own !== undefined && other !== undefined && isNear(own, other)
      ? []
      : [`${key}: ${own ?? 'nothing'}, in Prometheus ${other ?? 'nothing'}`];
  });
