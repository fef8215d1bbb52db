import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluate } from '../../src/promql/evaluate.ts';
import { Labels } from '../../src/promql/labels.ts';
import { parsePromql } from '../../src/promql/parse.ts';
import { Feed, Store } from '../../src/promql/store.ts';
import { windowsOf } from '../../src/promql/tree.ts';
import { expressions, intervalSeconds, worlds } from './generated.ts';
import { answerOf, samplesOf, storeOf } from './world.ts';

const sample = (name: string, value: number, x = '') => ({ name, labels: Labels.of([['x', x]]), value });

test('windows reach as far back as expressions read', () => {
  const exprs = [
    'rate(a[10m] offset 1h) + b',
    'b offset 1m > sum(c)',
    'label_replace(min_over_time(c[6m]), "x", "", "", "")',
  ];
  expect(Object.fromEntries(windowsOf(exprs.map(parsePromql)))).toEqual({ a: 4_200_000, b: 360_000, c: 360_000 });
});

test('metrics that no expression reads are not kept', () => {
  const store = new Store(new Map([['a', 1000]]));
  expect(store.append(sample('b', 1), 0)).toBeUndefined();
  expect(store.size).toEqual({ series: 0, samples: 0 });
});

test('samples older than the window are forgotten, and series without samples', () => {
  const store = new Store(
    new Map([
      ['a', 1000],
      ['b', 5000],
    ]),
  );
  for (const time of [0, 1000, 2000]) store.append(sample('a', time, '1'), time);
  store.append(sample('a', 0, '2'), 0);
  store.append(sample('b', 0), 0);
  expect(store.size).toEqual({ series: 3, samples: 5 });
  store.forget(2000);
  expect(store.size).toEqual({ series: 2, samples: 2 });
  const kept = store.select({ kind: 'selector', name: 'a', matchers: [], offsetMs: 0 });
  expect(kept.map(({ labels, times }) => [labels.get('x'), times])).toEqual([['1', [2000]]]);
});

test('there are no more series than allowed, and room again for others when some are gone', () => {
  const store = new Store(new Map([['a', 1000]]), 2);
  for (const x of ['1', '2', '3']) store.append(sample('a', 1, x), 0);
  expect(store.append(sample('a', 2, '2'), 500)).toBeDefined();
  expect(store.size).toEqual({ series: 2, samples: 3 });
  store.forget(1000);
  expect(store.append(sample('a', 1, '3'), 1000)).toBeDefined();
  expect(store.size.series).toBe(2);
});

test('a sample that is not newer is left out, as in Prometheus', () => {
  const store = new Store(new Map([['a', 10_000]]));
  const series = store.append(sample('a', 1), 5000)!;
  expect(store.append(sample('a', 2), 5000)).toBeUndefined();
  expect(store.append(sample('a', 3), 4000)).toBeUndefined();
  series.end(5000);
  expect(series.at(6000, 10_000)).toBe(1);
  series.end(6000);
  expect(store.append(sample('a', 4), 6000)).toBeUndefined();
  expect(series.at(6000, 10_000)).toBeUndefined();
});

test('a series becomes stale when its source no longer has it', () => {
  const store = new Store(new Map([['a', 300_000]]));
  const [target, other] = [new Feed(store), new Feed(store)];
  const present = (time: number): number[] => samplesOf(store, 'a', time).map(({ value }) => value);
  target.write([sample('a', 1, '1'), sample('a', 2, '2')], 0);
  other.write([sample('a', 3, '3')], 0);
  expect(present(0)).toEqual([1, 2, 3]);
  target.write([sample('a', 1, '1')], 1000);
  expect(present(1000)).toEqual([1, 3]);
  target.write([], 2000);
  expect(present(2000)).toEqual([3]);
  target.write([sample('a', 4, '2')], 3000);
  expect(present(3000)).toEqual([4, 3]);
});

test('nothing that an expression reads is forgotten', () => {
  const expression = expressions['all of them, nested']!;
  const time = fc.integer({ min: 0, max: 40 }).map((index) => index * intervalSeconds * 1000);
  const attempt = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return String(error);
    }
  };
  fc.assert(
    fc.property(worlds, expression, time, time, (world, text, one, other) => {
      const expr = parsePromql(text);
      const store = storeOf(world, intervalSeconds, [expr]);
      const [earlier, later] = [Math.min(one, other), Math.max(one, other)];
      const answer = () => attempt(() => answerOf(evaluate(expr, { store, time: later })));
      const before = answer();
      store.forget(earlier);
      expect(answer()).toEqual(before);
      store.forget(later);
      expect(answer()).toEqual(before);
    }),
    { seed: 20_261_130, numRuns: 300 },
  );
});
