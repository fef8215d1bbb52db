import { describe, expect, test } from 'vitest';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { parsePromql } from '../../src/promql/parse.ts';
import * as tree from '../../src/promql/tree.ts';
import type { Expr } from '../../src/promql/tree.ts';

const selector = (name: string, offsetMs = 0): Expr => ({ kind: 'selector', name, matchers: [], offsetMs });
const number = (value: number): Expr => ({ kind: 'number', value });

const parsed: Readonly<Record<string, Expr>> = {
  'up{job=~"xen",role!="guest",a="",b!~"c\\\\.d\\t"}': {
    kind: 'selector',
    name: 'up',
    matchers: [
      { label: 'job', op: '=~', value: 'xen' },
      { label: 'role', op: '!=', value: 'guest' },
      { label: 'a', op: '=', value: '' },
      { label: 'b', op: '!~', value: 'c\\.d\t' },
    ],
    offsetMs: 0,
  },
  'a offset 1h30m': selector('a', 5_400_000),
  'min_over_time(uuid:a:rate5m[10m] offset 1h)': {
    kind: 'range',
    fn: 'min_over_time',
    of: { kind: 'selector', name: 'uuid:a:rate5m', matchers: [], offsetMs: 3_600_000 },
    rangeMs: 600_000,
  },
  'time() - 86400': {
    kind: 'binary',
    op: '-',
    bool: false,
    left: { kind: 'time' },
    right: number(86_400),
  },
  'a + b * 1e-3': {
    kind: 'binary',
    op: '+',
    bool: false,
    matching: { on: false, labels: [] },
    left: selector('a'),
    right: { kind: 'binary', op: '*', bool: false, left: selector('b'), right: number(0.001) },
  },
  'a / ignoring (le) b > bool 0.5': {
    kind: 'binary',
    op: '>',
    bool: true,
    left: {
      kind: 'binary',
      op: '/',
      bool: false,
      matching: { on: false, labels: ['le'] },
      left: selector('a'),
      right: selector('b'),
    },
    right: number(0.5),
  },
  'a * on (y, x, y) group_left () (b)': {
    kind: 'binary',
    op: '*',
    bool: false,
    matching: { on: true, labels: ['x', 'y'], groupLeft: [] },
    left: selector('a'),
    right: selector('b'),
  },
  'a unless on (x) b or c and d # set operators': {
    kind: 'binary',
    op: 'or',
    bool: false,
    matching: { on: false, labels: [] },
    left: {
      kind: 'binary',
      op: 'unless',
      bool: false,
      matching: { on: true, labels: ['x'] },
      left: selector('a'),
      right: selector('b'),
    },
    right: {
      kind: 'binary',
      op: 'and',
      bool: false,
      matching: { on: false, labels: [] },
      left: selector('c'),
      right: selector('d'),
    },
  },
  'sum by (b, a) (a)': { kind: 'aggregation', op: 'sum', by: ['a', 'b'], of: selector('a') },
  'count(a) by (b)': { kind: 'aggregation', op: 'count', by: ['b'], of: selector('a') },
  'topk(1, a)': { kind: 'top', by: [], of: selector('a') },
  'label_replace(a, "host", "$1", "instance", "(.*)")': {
    kind: 'labelReplace',
    of: selector('a'),
    label: 'host',
    replacement: '$1',
    source: 'instance',
    pattern: '(.*)',
  },
  'histogram_quantile(0.99, a)': { kind: 'histogramQuantile', quantile: 0.99, of: selector('a') },
};

test.each(Object.entries(parsed))('%s', (text, expr) => {
  expect(parsePromql(text)).toEqual(expr);
});

test('a tree is JSON', () => {
  for (const expr of Object.values(parsed)) expect(JSON.parse(JSON.stringify(expr))).toEqual(expr);
});

const refused: readonly (readonly [text: string, found: string])[] = [
  ['increase(a[5m])', 'the function increase'],
  ['histogram_fraction(0, 1, a)', 'the function histogram_fraction'],
  ['avg(a)', 'the aggregation avg'],
  ['topk(2, a)', 'topk of 2'],
  ['topk(scalar(a), b)', 'scalar(a), which is no decimal number'],
  ['a % b', 'the operator %'],
  ['a >= 1', 'the operator >='],
  ['a ^ 2', 'the operator ^'],
  ['sum without (b) (a)', 'the modifier without'],
  ['a * on (x) group_right (y) b', 'the modifier group_right'],
  ['a + fill(0) b', 'the modifier fill'],
  ['rate(a[5m:1m])', 'rate of a subquery'],
  ['a[5m:1m]', 'a subquery'],
  ['a[5m]', 'a range that no function takes'],
  ['rate(a)', 'rate of a'],
  ['rate((a)[5m])', '(a) in place of a selector'],
  ['a @ 5', 'the modifier @'],
  ['-a', 'a sign'],
  ['a + -1', '-1, which is no decimal number'],
  ['a + 0x10', '0x10, which is no decimal number'],
  ['a + NaN', 'NaN, which is no decimal number'],
  ['a > 5m', '5m, which is no decimal number'],
  ['rate(a[300])', '300, which is no duration with units'],
  ['rate(a[0s])', '0s, which is no duration with units'],
  ['a offset -5m', '-5m, which is no duration with units'],
  ['(a + b) offset 5m', '(a + b) in place of a selector'],
  ['"a"', 'a string that is no argument'],
  ["a{b='c'}", "'c', which is no string in double quotes"],
  ['a{b=`c`}', '`c`, which is no string in double quotes'],
  ['a{b="\\x41"}', '"\\x41", which is no string in double quotes'],
  ['{b="c"}', 'a selector without a metric: {b="c"}'],
  ['{"a"}', 'a selector without a metric: {"a"}'],
  ['a{"b"="c"}', 'a quoted label name'],
  ['a{__name__="b"}', 'the label __name__'],
  ['sum by (__name__) (a)', 'the label __name__'],
  ['a{b=~"(?i)c"}', 'the regular expression "(?i)c", which RE2 and JavaScript do not share'],
  ['a{b=~"c(?!d)"}', 'the regular expression "c(?!d)", which RE2 and JavaScript do not share'],
  ['a{b=~"(c)\\\\1"}', 'the regular expression "(c)\\\\1", which RE2 and JavaScript do not share'],
  ['a{b=~"[[:alpha:]]"}', 'the regular expression "[[:alpha:]]", which RE2 and JavaScript do not share'],
  ['label_replace(a, "b", "${c}", "d", "(?P<c>.*)")', 'the replacement "${c}"'],
  ['label_replace(a, "b", "$1c", "d", "(.*)")', 'the replacement "$1c"'],
  ['label_replace(a, "", "c", "d", "")', 'label_replace without a label to set'],
  ['label_replace(a, "b", "c", "d")', '4 arguments of label_replace'],
  ['time(a)', '1 arguments of time'],
  ['sum(1)', 'the scalar 1 in place of a vector'],
  ['label_replace(time(), "b", "c", "", "")', 'the scalar time() in place of a vector'],
  ['1 > 2', 'a comparison of scalars without bool'],
  ['a + bool b', 'bool after +'],
  ['a and 1', 'and of a scalar'],
  ['a + on (b) 1', 'on (b) with a scalar'],
  ['a and on (b) group_left () c', 'group_left after and'],
  ['a * on (b) group_left (b) c', 'the label b in both on and group_left'],
  ['a[5m', 'an error at character 5'],
  ['nosuch(a)', 'an error at character 7'],
  ['', 'an error at character 1'],
];

test.each(refused)('%s is refused', (text, found) => {
  expect(() => parsePromql(text)).toThrow(`expected PromQL that the rule pack uses, found ${found} in: ${text}`);
});

describe('the pack', () => {
  const exprs = [[], ['site', 'team']].flatMap((keptLabels) =>
    rulePack({ ...defaultPackOptions, keptLabels }).flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  );

  test('is parsed, and is JSON then', () => {
    for (const text of exprs) {
      const expr = parsePromql(text);
      expect(JSON.parse(JSON.stringify(expr))).toEqual(expr);
    }
  });

  test('uses all that the evaluator has', () => {
    const used = new Set<string>();
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      const { kind, op, fn, bool, on, groupLeft, offsetMs } = value as Record<string, unknown>;
      for (const name of [kind, op, fn]) if (typeof name === 'string') used.add(name);
      if (bool === true) used.add('bool');
      if (on === true) used.add('on');
      if (groupLeft !== undefined) used.add('groupLeft');
      if (offsetMs !== undefined && offsetMs !== 0) used.add('offset');
      if (on === false && (value as { labels: string[] }).labels.length > 0) used.add('ignoring');
      Object.values(value).forEach(walk);
    };
    for (const text of exprs) walk(parsePromql(text));
    const kinds = [
      'number',
      'time',
      'selector',
      'range',
      'labelReplace',
      'histogramQuantile',
      'aggregation',
      'top',
      'binary',
    ];
    const lists = [
      tree.arithmetic,
      tree.comparisons,
      tree.setOperators,
      tree.aggregations,
      tree.rangeFunctions,
      tree.matchOperators,
    ];
    expect([...used].sort()).toEqual(
      [...kinds, ...lists.flat(), 'bool', 'on', 'ignoring', 'groupLeft', 'offset'].sort(),
    );
  });
});
