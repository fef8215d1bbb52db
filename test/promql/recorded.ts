import { expect, test } from 'vitest';
import type { RecordedFault } from '../../lab/faults/recorded-fault.ts';
import { recordings } from '../../lab/faults/recordings.ts';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { parsePromql } from '../../src/promql/parse.ts';
import { Recorder } from '../../src/promql/recorder.ts';
import { Feed, Store } from '../../src/promql/store.ts';
import { defaultLookbackMs, windowsOf } from '../../src/promql/tree.ts';
import { timeout } from '../pack/promtool.ts';
import { recordedScrapes } from '../pack/replay.ts';
import { askPrometheus } from './prometheus-answers.ts';
import { answerOf, differences, namedSeries, samplesOf, type Answer } from './world.ts';

const evaluationSeconds = 15;

/** The pack, with a row for the expression of each alert. */
const recordedGroups = (scrapeIntervalSeconds: number) =>
  rulePack({ ...defaultPackOptions, scrapeIntervalSeconds }).map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) =>
      'record' in rule ? rule : { record: `alert:${rule.alert}:${rule.labels.severity}`, expr: rule.expr },
    ),
  }));

type Groups = ReturnType<typeof recordedGroups>;
type World = Parameters<typeof askPrometheus>[0][number]['world'];

/** All rows at each evaluation. The store is fed by scrapes: a series that one lacks becomes stale. */
const ourRows = (world: World, intervalSeconds: number, groups: Groups, times: readonly number[]): Answer[] => {
  const rules = groups.flatMap((group) => group.rules.map(({ record, expr }) => ({ record, expr: parsePromql(expr) })));
  const windows = windowsOf(rules.map(({ expr }) => expr));
  const records = new Set(rules.map(({ record }) => record));
  for (const record of records) windows.set(record, Math.max(windows.get(record) ?? 0, defaultLookbackMs));
  const store = new Store(windows);
  const recorder = new Recorder(rules, { store });
  const targets = new Feed(store);
  const series = Object.entries(world).map(([text, scrapes]) => ({ ...namedSeries(text), scrapes }));
  return times.map((seconds) => {
    const time = seconds * 1000;
    if (seconds % intervalSeconds === 0) {
      const slot = seconds / intervalSeconds;
      const samples = series.flatMap(({ name, labels, scrapes }) => {
        const value = scrapes[slot];
        return typeof value === 'number' ? [{ name, labels, value }] : [];
      });
      targets.write(samples, time);
    }
    expect(recorder.record(time)).toEqual([]);
    return answerOf([...records].flatMap((name) => samplesOf(store, name, time)));
  });
};

const compare = async ({ intervalSeconds, speed, series }: RecordedFault): Promise<void> => {
  const world = Object.fromEntries(
    Object.entries(series).map(([name, values]) => [name, recordedScrapes(name, values, speed)]),
  );
  const slots = Math.max(...Object.values(world).map(({ length }) => length));
  const times = Array.from(
    { length: (slots * intervalSeconds) / evaluationSeconds },
    (_, step) => step * evaluationSeconds,
  );
  const groups = recordedGroups(intervalSeconds);
  const queries = times.map((seconds) => ({ expr: '{__name__=~".+:.+"}', seconds }));
  const [theirs] = await askPrometheus([{ world, intervalSeconds, queries }], { groups, evaluationSeconds });
  const ours = ourRows(world, intervalSeconds, groups, times);
  const wrong = times.flatMap((seconds, step) => {
    const reply = theirs![step]!;
    if (reply instanceof Error) throw reply;
    return differences(ours[step]!, reply).map((each) => `${seconds} s: ${each}`);
  });
  expect(wrong.slice(0, 10), `${wrong.length} differences`).toEqual([]);
  const recorded = ours.reduce((sum, { size }) => sum + size, 0);
  expect(recorded).toBeGreaterThan(20 * times.length);
};

/** Makes a test of each of these recordings: the pack's rows and alert expressions, step by step, from Prometheus 3 and from the evaluator. */
export const testDifferential = (isWanted: (name: string) => boolean): void =>
  test.each([...recordings].filter(([name]) => isWanted(name)))('%s', { timeout }, (_, fault) => compare(fault));
