import { expect } from 'vitest';
import { alertsName } from '../../src/promql/active-alerts.ts';
import { parseRule, type RuleText } from '../../src/promql/parse.ts';
import { Recorder } from '../../src/promql/recorder.ts';
import { Feed, Store } from '../../src/promql/store.ts';
import { askPrometheus } from './prometheus-answers.ts';
import {
  answerOf,
  differences,
  namedSeries,
  rowNames,
  samplesOf,
  windowsWithRows,
  type Answer,
  type World,
} from './world.ts';

export const evaluationSeconds = 15;

export interface RecordedGroup {
  name: string;
  rules: readonly RuleText[];
}

/** All rows and alerts at each evaluation. The store is fed by scrapes: a series that one lacks becomes stale. */
const ourRows = (
  world: World,
  intervalSeconds: number,
  groups: readonly RecordedGroup[],
  times: readonly number[],
): Answer[] => {
  const rules = groups.flatMap((group) => group.rules.map(parseRule));
  const store = new Store(windowsWithRows(rules));
  const recorder = new Recorder(rules, { store });
  const target = new Feed(store);
  const series = Object.entries(world).map(([text, scrapes]) => ({ ...namedSeries(text), scrapes }));
  return times.map((seconds) => {
    const time = seconds * 1000;
    if (seconds % intervalSeconds === 0) {
      const samples = series.flatMap(({ name, labels, scrapes }) => {
        const value = scrapes[seconds / intervalSeconds];
        return typeof value === 'number' ? [{ name, labels, value }] : [];
      });
      target.write(samples, time);
    }
    expect(recorder.record(time)).toEqual([]);
    return answerOf([...rowNames(rules)].flatMap((name) => samplesOf(store, name, time)));
  });
};

/**
 * Compares all rows and alerts of the groups in each of these worlds at each evaluation with those of Prometheus 3.
 * Returns how many there are, and the differences.
 */
export const compareRows = async (
  worlds: readonly World[],
  intervalSeconds: number,
  groups: readonly RecordedGroup[],
): Promise<{ rows: number; wrong: string[] }> => {
  const scrapes = Math.max(...worlds.flatMap((world) => Object.values(world).map(({ length }) => length)));
  const steps = Math.floor((scrapes * intervalSeconds) / evaluationSeconds);
  const times = Array.from({ length: steps }, (_, step) => step * evaluationSeconds);
  const queries = times.map((seconds) => ({ expr: `{__name__=~"${alertsName}|.+:.+"}`, seconds }));
  const replies = await askPrometheus(
    worlds.map((world) => ({ world, intervalSeconds, queries })),
    { groups, evaluationSeconds },
  );
  let rows = 0;
  const wrong = worlds.flatMap((world, index) =>
    ourRows(world, intervalSeconds, groups, times).flatMap((ours, step) => {
      const reply = replies[index]![step]!;
      if (reply instanceof Error) throw reply;
      rows += ours.size;
      return differences(ours, reply).map((each) => `${times[step]} s: ${each}`);
    }),
  );
  return { rows, wrong };
};
