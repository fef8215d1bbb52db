import { describe, expect, test } from 'vitest';
import { evaluate } from '../../src/promql/evaluate.ts';
import { parsePromql } from '../../src/promql/parse.ts';
import { scrapesOf, type Scraped } from '../pack/scrape-interval.ts';
import { answerOf, storeOf, type World } from './world.ts';

/** Scrapes in promtool's notation, 10 s apart; NaN and Inf too. */
const scraped = (notation: string): Scraped[] =>
  notation.split(' ').flatMap((each) => (/^(NaN|-?Infinity)$/.test(each) ? [Number(each)] : scrapesOf(each)));

/** The value of an expression at a second. */
const at = (seconds: number, expr: string, series: Readonly<Record<string, string>>): Record<string, number> => {
  const parsed = parsePromql(expr);
  const world: World = Object.fromEntries(Object.entries(series).map(([name, values]) => [name, scraped(values)]));
  const store = storeOf(world, 10, [parsed]);
  return Object.fromEntries(answerOf(evaluate(parsed, { store, time: seconds * 1000 })));
};

/** The same series with one value at 0 s each. */
const now = (expr: string, series: Readonly<Record<string, number>>): Record<string, number> =>
  at(0, expr, Object.fromEntries(Object.entries(series).map(([name, value]) => [name, String(value)])));

describe('a selector', () => {
  const m = '{"__name__":"m"}';

  test('looks back for less than 5 minutes', () => {
    expect(at(299.999, 'm', { m: '7' })).toEqual({ [m]: 7 });
    expect(at(300, 'm', { m: '7' })).toEqual({});
  });

  test('finds nothing after a staleness marker, until there is a sample again', () => {
    const series = { m: '7 stale _ 8' };
    expect([9.999, 10, 29.999, 30].map((seconds) => at(seconds, 'm', series))).toEqual([
      { [m]: 7 },
      {},
      {},
      { [m]: 8 },
    ]);
  });

  test('finds no sample of the future', () => {
    expect(at(19, 'm', { m: '_ _ 7' })).toEqual({});
  });

  test('is moved by its offset', () => {
    expect(at(50, 'm offset 30s', { m: '0+1x5' })).toEqual({ [m]: 2 });
  });

  test('finds NaN, which is no staleness marker', () => {
    expect(at(0, 'm', { m: 'NaN' })).toEqual({ [m]: NaN });
  });

  test.each([
    ['m{x="a"}', ['a']],
    ['m{x!="a"}', ['', 'b', 'b\na']],
    ['m{x=""}', ['']],
    ['m{x=~"a|b"}', ['a', 'b']],
    ['m{x=~"b.a"}', ['b\na']],
    ['m{x!~"b"}', ['', 'a', 'b\na']],
    ['m{x=~".*",x!~".+"}', ['']],
    ['m{y="a"}', []],
  ])('%s', (expr, xs) => {
    const found = now(expr, { m: 0, 'm{x="a"}': 1, 'm{x="b"}': 2, 'm{x="b\\na"}': 3, other: 4 });
    expect(Object.keys(found).map((key) => (JSON.parse(key) as { x?: string }).x ?? '')).toEqual(xs);
  });
});

describe('rate', () => {
  const rate = (seconds: number, values: string, window = '1m'): number | undefined =>
    at(seconds, `rate(c[${window}])`, { c: values })['{}'];

  test('reaches to both ends of a range that samples fill', () => {
    // Samples at 10 to 60 s: the one at the left end is left out. 50 in 50 s, reaching back by 10 s.
    expect(rate(60, '100+10x6')).toBe(1);
  });

  test('reaches by half an interval to an end that is far', () => {
    // Samples at 40, 50 and 60 s grow by 20; 40 s to the start are more than 11 s. (20 + 5) / 20 of 20 in 60 s.
    expect(rate(60, '_ _ _ _ 100 110 120')).toBeCloseTo((20 * (25 / 20)) / 60, 12);
    // Likewise at the other end: the last sample is 20 s old. It begins 10 s after the start.
    expect(rate(60, '_ 100 110 120 130')).toBeCloseTo((30 * ((30 + 10 + 10 / 2) / 30)) / 60, 12);
  });

  test('does not reach below zero', () => {
    // 2, 12 and 22 at 40, 50 and 60 s were 0 two seconds before.
    expect(rate(60, '_ _ _ _ 2 12 22')).toBeCloseTo((20 * (22 / 20)) / 60, 12);
  });

  test('adds what a counter had before it restarted', () => {
    // 50 to 60, then 5 to 15: 10 and 5 and 10 in 30 s, and reaches 10 s to the left.
    expect(rate(40, '0 50 60 5 15', '40s')).toBeCloseTo((25 * (40 / 30)) / 40, 12);
  });

  test('needs two samples, and ignores staleness markers', () => {
    expect(rate(60, '_ _ _ _ _ _ 5')).toBeUndefined();
    expect(rate(40, '0 100 stale 120 130', '40s')).toBeCloseTo((30 * (40 / 30)) / 40, 12);
  });

  test('of NaN is NaN', () => {
    expect(rate(60, '0 10 NaN 30 40 50 60')).toBe(1);
    expect(rate(60, '0 10 20 30 40 50 NaN')).toBeNaN();
  });
});

describe('functions over time', () => {
  test.each([
    ['last_over_time(m[30s])', { '{"__name__":"m"}': 3 }],
    ['max_over_time(m[30s])', { '{}': 5 }],
    ['min_over_time(m[30s])', { '{}': 3 }],
    ['min_over_time(m[20s] offset 20s)', { '{}': 5 }],
    ['min_over_time(m[50s] offset 10s)', { '{}': 1 }],
    ['max_over_time(m[10s])', {}],
  ])('%s', (expr, expected) => {
    expect(at(50, expr, { m: '1 9 NaN 5 3 stale' })).toEqual(expected);
  });

  test('NaN is a result only if there is nothing else', () => {
    expect(at(10, 'max_over_time(m[10s])', { m: '1 NaN' })).toEqual({ '{}': NaN });
  });
});

describe('calculations and comparisons', () => {
  const series = { 'a{x="1"}': 6, 'a{x="2"}': 8, 'b{x="1"}': 3, 'b{x="3"}': 5 };

  test.each<[string, Record<string, number>]>([
    ['a + 1', { '{"x":"1"}': 7, '{"x":"2"}': 9 }],
    ['1 - a', { '{"x":"1"}': -5, '{"x":"2"}': -7 }],
    ['a / 0', { '{"x":"1"}': Infinity, '{"x":"2"}': Infinity }],
    ['a > 6', { '{"__name__":"a","x":"2"}': 8 }],
    ['7 > a', { '{"__name__":"a","x":"1"}': 6 }],
    ['a > bool 6', { '{"x":"1"}': 0, '{"x":"2"}': 1 }],
    ['1 == bool 1', { '{}': 1 }],
    ['time() - 2 * 3', { '{}': -6 }],
    ['a / b', { '{"x":"1"}': 2 }],
    ['a > b', { '{"__name__":"a","x":"1"}': 6 }],
    ['a > on (x) b', { '{"x":"1"}': 6 }],
    ['a < bool b', { '{"x":"1"}': 0 }],
    ['a == b', {}],
    ['a - on () nothing', {}],
  ])('%s', (expr, expected) => {
    expect(now(expr, series)).toEqual(expected);
  });

  test('NaN is not equal to NaN', () => {
    expect(now('a == a', { a: NaN, 'a{x="1"}': 1 })).toEqual({ '{"__name__":"a","x":"1"}': 1 });
  });

  test('ignoring leaves labels out of matching and of the result', () => {
    expect(now('a * ignoring (le) b', { 'a{x="1",le="2"}': 6, 'b{x="1"}': 3 })).toEqual({ '{"x":"1"}': 18 });
  });

  test('group_left takes labels from the one side, and removes what that lacks', () => {
    const many = { 'a{i="1",v="0"}': 2, 'a{i="1",v="1",u="old"}': 3, 'a{i="2",v="1"}': 4, 'b{i="1",u="new"}': 10 };
    expect(now('a * on (i) group_left (u) b', many)).toEqual({
      '{"i":"1","u":"new","v":"0"}': 20,
      '{"i":"1","u":"new","v":"1"}': 30,
    });
    expect(now('a{u="old"} * on (i) group_left (u, v) b', many)).toEqual({ '{"i":"1","u":"new"}': 30 });
  });
});

describe('many-to-many', () => {
  const many = { 'a{x="1",y="1"}': 1, 'a{x="1",y="2"}': 2, 'b{x="1",y="3"}': 3, 'b{x="1",y="4"}': 4, 'c{x="1"}': 5 };

  test('group_left keeps all of the many side', () => {
    expect(now('a * on (x) group_left () c', many)).toEqual({ '{"x":"1","y":"1"}': 5, '{"x":"1","y":"2"}': 10 });
  });

  test.each([
    ['a * on (x) group_left () b', 'matching labels must be unique on one side'],
    ['c * on (x) b', 'matching labels must be unique on one side'],
    ['a * on (x) c', 'many-to-one matching must be explicit'],
    ['a * on (x) group_left (y) c', 'grouping labels must ensure unique matches'],
    ['label_replace(a, "y", "", "", "")', 'vector cannot contain metrics with the same labelset'],
    ['label_replace(a{y="1"} or c, "y", "", "", "") * 2', 'vector cannot contain metrics with the same labelset'],
  ])('%s', (expr, message) => {
    expect(() => now(expr, many)).toThrow(message);
  });

  test('nobody looks for duplicates if the other side is empty, or if a filter keeps one', () => {
    expect(now('nothing * on (x) b', many)).toEqual({});
    expect(now('a * on (x) (c > 5)', many)).toEqual({});
    expect(now('a > on (x) (c - 3.5)', many)).toEqual({ '{"x":"1"}': 2 });
  });
});

describe('set operators', () => {
  const series = { 'a{x="1"}': 1, 'a{x="2"}': 2, 'b{x="2",y="1"}': 3, 'b{x="3"}': 4, 'b{x="1"}': 5 };

  test.each<[string, Record<string, number>]>([
    ['a and b', { '{"__name__":"a","x":"1"}': 1 }],
    ['a and on (x) b > 4', { '{"__name__":"a","x":"1"}': 1 }],
    ['a unless b', { '{"__name__":"a","x":"2"}': 2 }],
    ['a unless on () b', {}],
    ['a unless nothing', { '{"__name__":"a","x":"1"}': 1, '{"__name__":"a","x":"2"}': 2 }],
    ['a and nothing', {}],
    ['a or on (x) b', { '{"__name__":"a","x":"1"}': 1, '{"__name__":"a","x":"2"}': 2, '{"__name__":"b","x":"3"}': 4 }],
    [
      'a or ignoring (x) b',
      { '{"__name__":"a","x":"1"}': 1, '{"__name__":"a","x":"2"}': 2, '{"__name__":"b","x":"2","y":"1"}': 3 },
    ],
  ])('%s', (expr, expected) => {
    expect(now(expr, series)).toEqual(expected);
  });
});

describe('aggregations', () => {
  const series = { 'a{x="1",y="1"}': 1, 'a{x="1",y="2"}': 4, 'a{x="2"}': NaN, a: 7 };

  test.each<[string, Record<string, number>]>([
    ['sum by (x) (a)', { '{"x":"1"}': 5, '{"x":"2"}': NaN, '{}': 7 }],
    ['max by (x) (a)', { '{"x":"1"}': 4, '{"x":"2"}': NaN, '{}': 7 }],
    ['min(a)', { '{}': 1 }],
    ['max(a)', { '{}': 7 }],
    ['count by (x, z) (a)', { '{"x":"1"}': 2, '{"x":"2"}': 1, '{}': 1 }],
    ['group by (y) (a)', { '{"y":"1"}': 1, '{"y":"2"}': 1, '{}': 1 }],
    [
      'topk by (x) (1, a)',
      { '{"__name__":"a","x":"1","y":"2"}': 4, '{"__name__":"a","x":"2"}': NaN, '{"__name__":"a"}': 7 },
    ],
    ['topk(1, a)', { '{"__name__":"a"}': 7 }],
    ['sum(nothing)', {}],
  ])('%s', (expr, expected) => {
    expect(now(expr, series)).toEqual(expected);
  });

  test('topk keeps the first of equal ones', () => {
    expect(now('topk(1, a)', { 'a{x="2"}': 1, 'a{x="1"}': 1 })).toEqual({ '{"__name__":"a","x":"2"}': 1 });
  });

  test('a sum loses no small part', () => {
    expect(now('sum(a)', { 'a{x="1"}': 1, 'a{x="2"}': 1e100, 'a{x="3"}': 1, 'a{x="4"}': -1e100 })).toEqual({ '{}': 2 });
    expect(now('sum(a)', { 'a{x="1"}': Infinity, 'a{x="2"}': 1 })).toEqual({ '{}': Infinity });
  });
});

test.each<[string, Record<string, number>]>([
  [
    'label_replace(a, "host", "$1", "instance", "(.*):\\\\d+")',
    { '{"__name__":"a","host":"dom0","instance":"dom0:1"}': 1 },
  ],
  ['label_replace(a, "host", "$1", "instance", "dom0")', { '{"__name__":"a","instance":"dom0:1"}': 1 }],
  ['label_replace(a, "host", "unknown", "", "")', { '{"__name__":"a","host":"unknown","instance":"dom0:1"}': 1 }],
  ['label_replace(a, "instance", "", "instance", "(.*)")', { '{"__name__":"a"}': 1 }],
  ['label_replace(a, "instance", "$2-$0", "instance", "(d)(o).*")', { '{"__name__":"a","instance":"o-dom0:1"}': 1 }],
])('%s', (expr, expected) => {
  expect(now(expr, { 'a{instance="dom0:1"}': 1 })).toEqual(expected);
});

describe('histogram_quantile', () => {
  const buckets = (counts: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(Object.entries(counts).map(([le, count]) => [`b{le="${le}"}`, count]));

  test.each<[string, string, Record<string, number>, number]>([
    ['is linear within a bucket', '0.5', { '1': 2, '2': 6, '+Inf': 8 }, 1.5],
    ['begins at zero', '0.5', { '1': 4, '+Inf': 4 }, 0.5],
    ['ends at the last bound', '0.99', { '1': 1, '2': 2, '+Inf': 8 }, 2],
    ['is the bound of a lowest bucket that is not positive', '0.1', { '-1': 4, '+Inf': 8 }, -1],
    ['takes a lower count for a mistake', '0.5', { '1': 4, '2': 3, '4': 8, '+Inf': 8 }, 1],
    ['takes a difference of rounding for none', '1', { '1': 4, '2': 4 + 1e-13, '+Inf': 4 + 1e-13 }, 1],
    ['adds buckets with equal bounds', '0.5', { '1': 1, '1.0': 1, '2': 4, '+Inf': 4 }, 1],
    ['skips a bound that is no number', '0.5', { '1': 2, '2': 6, '+Inf': 8, many: 9 }, 1.5],
    ['is NaN without observations', '0.5', { '1': 0, '+Inf': 0 }, NaN],
    ['is NaN without a last bucket', '0.5', { '1': 1, '2': 2 }, NaN],
    ['is NaN of one bucket', '0.5', { '+Inf': 2 }, NaN],
    ['is infinite above 1', '1.5', { '1': 1, '+Inf': 1 }, Infinity],
  ])('%s', (_, quantile, counts, expected) => {
    expect(now(`histogram_quantile(${quantile}, b)`, buckets(counts))).toEqual({ '{}': expected });
  });

  test('of each histogram', () => {
    const two = { 'b{x="1",le="1"}': 1, 'b{x="1",le="+Inf"}': 1, 'b{x="2",le="3"}': 1, 'b{x="2",le="+Inf"}': 1 };
    expect(now('histogram_quantile(1, b)', two)).toEqual({ '{"x":"1"}': 1, '{"x":"2"}': 3 });
  });
});

test('labels that JavaScript has a meaning for are labels', () => {
  const series = { 'a{__proto__="1",constructor="2"}': 1 };
  expect(now('sum by (constructor) (a)', series)).toEqual({ '{"constructor":"2"}': 1 });
  expect(now('sum by (toString) (a)', series)).toEqual({ '{}': 1 });
});
