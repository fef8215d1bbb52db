import { expect, test } from 'vitest';
import { Labels } from '../../src/promql/labels.ts';
import { parseRule, type RuleText } from '../../src/promql/parse.ts';
import { Recorder } from '../../src/promql/recorder.ts';
import { Feed, Store } from '../../src/promql/store.ts';
import { samplesOf, windowsWithRows } from './world.ts';

/** A store with a target that has the metric a, a recorder of rules, and the rows of a name at a time. */
const recording = (...texts: readonly (readonly [record: string, expr: string] | RuleText)[]) => {
  const rules = texts.map((text) => parseRule('expr' in text ? text : { record: text[0], expr: text[1] }));
  const store = new Store(windowsWithRows(rules));
  const target = new Feed(store);
  const recorder = new Recorder(rules, { store });
  return {
    target,
    recorder,
    /** Scrapes the target, evaluates the rules, and returns why some fail. */
    step: (time: number, values: Readonly<Record<string, number>>) => {
      target.write(
        Object.entries(values).map(([x, value]) => ({ name: 'a', labels: Labels.of([['x', x]]), value })),
        time,
      );
      return recorder.record(time).map(({ rule, error }) => `${rule}: ${error.message}`);
    },
    rows: (name: string, time: number) =>
      samplesOf(store, name, time).map(({ labels, value }) => [...labels.pairs, value]),
  };
};

test('rules read what those before them have recorded, at the same time', () => {
  const { step, rows } = recording(['r:double', 'a * 2'], ['r:sum', 'sum(r:double)'], ['r:scalar', 'time() + 1']);
  expect(step(1000, { p: 1, q: 2 })).toEqual([]);
  expect(rows('r:double', 1000)).toEqual([
    ['x', 'p', 2],
    ['x', 'q', 4],
  ]);
  expect(rows('r:sum', 1000)).toEqual([[6]]);
  expect(rows('r:scalar', 1000)).toEqual([[2]]);
});

test('ranges look back no longer than they may', () => {
  const { target, recorder, rows } = recording(['r:most', 'max_over_time(a[5m])'], ['r:last', 'a']);
  const at = (time: number, value: number, longestRangeMs?: number) => {
    target.write([{ name: 'a', labels: Labels.of([['x', 'p']]), value }], time);
    expect(recorder.record(time, longestRangeMs)).toEqual([]);
    return rows('r:most', time);
  };
  expect(at(1000, 9)).toEqual([['x', 'p', 9]]);
  expect(at(2000, 5)).toEqual([['x', 'p', 9]]);
  // The left end is left out.
  expect(at(3000, 4, 1001)).toEqual([['x', 'p', 5]]);
  expect(at(4000, 3, 1000)).toEqual([['x', 'p', 3]]);
  expect(at(5000, 2)).toEqual([['x', 'p', 9]]);
  expect(rows('r:last', 5000)).toEqual([['x', 'p', 2]]);
});

test('rules read what those behind them, and themselves, have recorded the time before', () => {
  const { step, rows } = recording(['r:first', 'r:second or a'], ['r:second', 'a + 10'], ['r:kept', 'a > 0 or r:kept']);
  step(1000, { p: 1 });
  expect(rows('r:first', 1000)).toEqual([['x', 'p', 1]]);
  step(2000, { p: -5 });
  expect(rows('r:first', 2000)).toEqual([['x', 'p', 11]]);
  expect(rows('r:kept', 2000)).toEqual([['x', 'p', 1]]);
});

test('a row ends at once when its rule no longer gives it', () => {
  const { step, rows } = recording(['r:much', 'a > 5']);
  step(1000, { p: 6, q: 7 });
  step(2000, { p: 6, q: 1 });
  expect(rows('r:much', 1000)).toEqual([
    ['x', 'p', 6],
    ['x', 'q', 7],
  ]);
  expect(rows('r:much', 2000)).toEqual([['x', 'p', 6]]);
});

test('a rule that fails is named, keeps its rows and stops no other', () => {
  const { step, rows } = recording(
    ['r:one', 'a * on () a'],
    ['r:same', 'label_replace(a, "x", "", "", "")'],
    ['r:other', 'count(a)'],
  );
  expect(step(1000, { p: 3 })).toEqual([]);
  expect(rows('r:one', 1000)).toEqual([[9]]);
  expect(step(2000, { p: 3, q: 4 })).toEqual([
    'r:one: many-to-many matching not allowed: matching labels must be unique on one side',
    'r:same: vector cannot contain metrics with the same labelset',
  ]);
  expect(rows('r:one', 2000)).toEqual([[9]]);
  expect(rows('r:other', 2000)).toEqual([[2]]);
});

test('rows that would differ by the metric name alone are an error', () => {
  const { step } = recording(
    ['r:other', 'label_replace(a, "x", "q", "", "")'],
    ['r:both', 'label_replace(a or r:other, "x", "", "", "")'],
  );
  expect(step(1000, { p: 3 })).toEqual([
    'r:both: vector contains metrics with the same labelset after applying rule labels',
  ]);
});

/** The alerts at a time, each with its state. */
const statesOf = (rows: (string | number)[][]): string[] =>
  rows.map((row) => `${row[row.indexOf('x') + 1]} ${row[row.indexOf('alertstate') + 1]}`).sort();

test('an alert is pending until it has waited, fires, and ends as soon as its expression has no result', () => {
  const { step, rows } = recording({
    alert: 'Much',
    expr: 'a > 5',
    for: '2s',
    labels: { severity: 'critical', x: '' },
  });
  const at = (time: number, values: Readonly<Record<string, number>>) => {
    expect(step(time, values)).toEqual([]);
    return rows('ALERTS', time);
  };
  expect(at(1000, { p: 6 })).toEqual([['alertname', 'Much', 'alertstate', 'pending', 'severity', 'critical', 1]]);
  expect(at(2000, { p: 7 })).toEqual([['alertname', 'Much', 'alertstate', 'pending', 'severity', 'critical', 1]]);
  expect(at(3000, { p: 8 })).toEqual([['alertname', 'Much', 'alertstate', 'firing', 'severity', 'critical', 1]]);
  expect(at(4000, { p: 1 })).toEqual([]);
  expect(at(5000, { p: 6 })).toEqual([['alertname', 'Much', 'alertstate', 'pending', 'severity', 'critical', 1]]);
});

test('an alert that fires is kept firing, one that is pending is not, and a result in between begins the wait anew', () => {
  const { step, rows } = recording({ alert: 'Much', expr: 'a > 5', for: '1s', keep_firing_for: '2s' });
  const at = (time: number, values: Readonly<Record<string, number>>) => {
    expect(step(time, values)).toEqual([]);
    return statesOf(rows('ALERTS', time));
  };
  expect(at(1000, { p: 6, q: 1 })).toEqual(['p pending']);
  expect(at(2000, { p: 6, q: 6 })).toEqual(['p firing', 'q pending']);
  expect(at(3000, { p: 1, q: 1 })).toEqual(['p firing']);
  expect(at(4000, { p: 6, q: 1 })).toEqual(['p firing']);
  expect(at(5000, { p: 1, q: 1 })).toEqual(['p firing']);
  expect(at(6000, { p: 1, q: 1 })).toEqual(['p firing']);
  expect(at(7000, { p: 1, q: 1 })).toEqual([]);
});

test('rules read the alerts of those before them, and those of the evaluation before of those behind them', () => {
  const { step, rows } = recording(
    ['r:before', 'count(ALERTS{alertstate="firing"})'],
    { alert: 'Much', expr: 'a > 5' },
    ['r:behind', 'count(ALERTS{alertstate="firing"})'],
  );
  step(1000, { p: 6 });
  expect([rows('r:before', 1000), rows('r:behind', 1000)]).toEqual([[], [[1]]]);
  step(2000, { p: 1 });
  expect([rows('r:before', 2000), rows('r:behind', 2000)]).toEqual([[[1]], []]);
});

test('results that are the same alert are an error, which leaves the alerts as they were', () => {
  const { step, rows } = recording({ alert: 'Much', expr: 'a > 5', labels: { x: 'same' } });
  expect(step(1000, { p: 6 })).toEqual([]);
  expect(step(2000, { p: 6, q: 6 })).toEqual([
    'Much: vector contains metrics with the same labelset after applying alert labels',
  ]);
  expect(statesOf(rows('ALERTS', 2000))).toEqual(['same firing']);
});
