import fc from 'fast-check';
import type { Scraped } from '../pack/scrape-interval.ts';
import type { World } from './world.ts';

// Generated series and PromQL over them. Names say what series are like:
//   m1, m2  gauges with any values, gaps and staleness markers
//   c1, c2  counters that restart
//   d       gauges that are never equal, so that topk has one answer
//   h_bucket  buckets of histograms, also inconsistent ones

export const intervalSeconds = 15;
const scrapes = 30;

const gap = fc.constantFrom<Scraped>('_', 'stale');
const gauge = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 4, arbitrary: fc.integer({ min: -1e7, max: 1e7 }).map((value) => value / 7) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 1e300, -1e300) },
);
const withGaps = (value: fc.Arbitrary<number>): fc.Arbitrary<Scraped[]> =>
  fc.array(fc.oneof({ weight: 8, arbitrary: value as fc.Arbitrary<Scraped> }, { weight: 2, arbitrary: gap }), {
    minLength: scrapes,
    maxLength: scrapes,
  });
const gauges = withGaps(gauge);

/** Growth at each scrape, or a restart. Gaps at the ends leave a part of a range without samples. */
const counters = fc
  .record({
    first: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 })),
    growths: fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 100 }).map((value) => value / 7) },
        { weight: 4, arbitrary: fc.constantFrom(0, 1, 5) },
        { weight: 1, arbitrary: fc.constant('restart') },
        { weight: 2, arbitrary: gap },
      ),
      { minLength: scrapes, maxLength: scrapes },
    ),
    begin: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: scrapes - 4 })),
    end: fc.oneof(fc.constant(scrapes), fc.integer({ min: 4, max: scrapes })),
  })
  .map(({ first, growths, begin, end }): Scraped[] => {
    let total = first;
    return growths.map((growth, index) => {
      if (index < begin || index >= end) return '_';
      if (growth === '_' || growth === 'stale') return growth;
      total = growth === 'restart' ? 0 : total + (growth as number);
      return total;
    });
  });

const distinct = (index: number): fc.Arbitrary<Scraped[]> =>
  withGaps(fc.integer({ min: -20, max: 20 }).map((value) => value * 16 + index)).map((values) =>
    // One series at most has NaN.
    index === 0 ? values.map((value) => (typeof value === 'number' && value % 7 === 0 ? NaN : value)) : values,
  );

/** Counts that differ by rounding alone, or by a little more. */
const nearlyEqual = withGaps(fc.constantFrom(100, 100.00000000000001, 100.0000000001, 99.99999999999999));

const labelSets = ['x="p",y="r"', 'x="p",y="s"', 'x="q",y="r"', 'x="q"', 'y="r"', 'x="p",y="r",z="é\\"\\\\"'];
const bounds = ['0.1', '0.5', '1', '1.0', '+Inf', 'none'];

const ofName = (name: string, labels: readonly string[], values: (index: number) => fc.Arbitrary<Scraped[]>) =>
  fc
    .tuple(...labels.map((each, index) => fc.option(values(index).map((all) => [`${name}{${each}}`, all] as const))))
    .map((all) => all.filter((each) => each !== null));

const buckets = ['x="p"', 'x="q",y="r"'].flatMap((each) => bounds.map((le) => `${each},le="${le}"`));

export const worlds: fc.Arbitrary<World> = fc
  .tuple(
    ofName('m1', labelSets, () => gauges),
    ofName('m2', labelSets, () => gauges),
    ofName('c1', labelSets, () => counters),
    ofName('c2', labelSets, () => counters),
    ofName('d', labelSets, distinct),
    ofName('h_bucket', buckets, () => fc.oneof({ weight: 3, arbitrary: counters }, nearlyEqual)),
  )
  .map((all) => Object.fromEntries(all.flat()));

/** Seconds: at scrapes, between them, and a millisecond beside them. */
export const times = fc.oneof(
  fc.integer({ min: 0, max: scrapes }).map((index) => index * intervalSeconds),
  fc.integer({ min: 0, max: scrapes * intervalSeconds + 320 }),
  fc
    .tuple(fc.integer({ min: 1, max: scrapes + 20 }), fc.constantFrom(-1, 1))
    .map(([index, beside]) => index * intervalSeconds + beside / 1000),
);

/** PromQL whose parts are generated. */
const text = (strings: TemplateStringsArray, ...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((values) => String.raw({ raw: strings }, ...values));

const matcher = fc.constantFrom(
  'x="p"',
  'x!="p"',
  'y=""',
  'y!=""',
  'x=~"p|q"',
  'y=~"(r|)"',
  'y!~"s.*"',
  'x=~".+"',
  'z=~"é."',
  'nowhere="a"',
  'nowhere!~".+"',
  'x!~"(?:p)"',
);
const matchers = fc.array(matcher, { maxLength: 2 }).map((all) => (all.length === 0 ? '' : `{${all.join(',')}}`));
const offset = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(' offset 15s', ' offset 1m', ' offset 1m7s', ' offset 6m') },
);
const duration = fc.constantFrom('1ms', '15s', '16s', '30s', '45s', '1m', '1m30s', '2m', '300s', '1h');
const gaugeName = fc.constantFrom('m1', 'm2');
const counterName = fc.constantFrom('c1', 'c2');
const labels = fc.subarray(['x', 'y', 'z', 'nowhere']).map((all) => all.join(', '));
const number = fc.constantFrom('0', '1', '2.5', '1e-3', '.5', '1000');

const selector = text`${gaugeName}${matchers}${offset}`;
const rate = text`rate(${counterName}${matchers}[${duration}]${offset})`;
const overTime = text`${fc.constantFrom('last', 'max', 'min')}_over_time(${gaugeName}${matchers}[${duration}]${offset})`;
const top = text`topk by (${labels}) (1, d${matchers})`;

/** Every construct over these vectors. */
const constructs = (vector: fc.Arbitrary<string>) => {
  const arithmetic = fc.constantFrom('+', '-', '*', '/');
  const comparison = fc.constantFrom('==', '>', '<', '== bool', '> bool', '< bool');
  const match = fc.oneof(
    { weight: 2, arbitrary: fc.constant('') },
    { weight: 3, arbitrary: text`on (${labels})` },
    { weight: 3, arbitrary: text`ignoring (${labels})` },
  );
  /** With a right side that is often unique by the labels that match. */
  const groupLeft = fc
    .tuple(fc.subarray(['x', 'y', 'z']), fc.subarray(['x', 'y', 'z', 'nowhere']), vector, fc.boolean())
    .map(([on, others, right, isUnique]) => {
      const taken = others.filter((each) => !on.includes(each));
      const one = isUnique ? `max by (${on.join(', ')}) (${right})` : right;
      return `on (${on.join(', ')}) group_left (${taken.join(', ')}) ${one}`;
    });
  const anyOperator = fc.oneof(arithmetic, comparison);
  /** With sides that are unique by the labels that match: most other sides are not, and Prometheus refuses them. */
  const oneToOne = fc
    .tuple(fc.subarray(['x', 'y', 'z'], { minLength: 1 }), vector, anyOperator, vector)
    .map(([on, left, op, right]) => {
      const by = on.join(', ');
      return `max by (${by}) (${left}) ${op} on (${by}) max by (${by}) (${right})`;
    });
  const replacement = fc.constantFrom('$1', '', 'constant', '$1-$2', '$2', '$0');
  const pattern = fc.constantFrom('(.*)', '(.+)', '', '(p|q)', '(p)?(.*)', 'r');
  return {
    scalars: fc.oneof(
      text`${vector} ${anyOperator} ${number}`,
      text`${number} ${anyOperator} ${vector}`,
      text`${vector} ${anyOperator} (time() - ${number})`,
    ),
    matching: fc.oneof(text`${vector} ${anyOperator} ${match} ${vector}`, oneToOne),
    group_left: fc.oneof(
      text`${vector} ${anyOperator} ${groupLeft}`,
      text`${vector} ${anyOperator} ignoring (${labels}) group_left (${labels}) ${vector}`,
    ),
    sets: text`${vector} ${fc.constantFrom('and', 'or', 'unless')} ${match} ${vector}`,
    aggregations: fc.oneof(
      text`${fc.constantFrom('count', 'group', 'max', 'min', 'sum')} by (${labels}) (${vector})`,
      text`${fc.constantFrom('count', 'group', 'max', 'min', 'sum')}(${vector})`,
    ),
    label_replace: text`label_replace(${vector}, "${fc.constantFrom('x', 'y', 'new')}", "${replacement}", "${fc.constantFrom('x', 'y', '', 'nowhere')}", "${pattern}")`,
  };
};

/** Prometheus applies an offset to one selector, and the grammar for editors to all that stands before it. */
const operand = selector.map((each) => (each.includes('offset') ? `(${each})` : each));

const vectors = fc.letrec<{ vector: string }>((tie) => ({
  vector: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    selector,
    rate,
    overTime,
    top,
    ...Object.values(constructs(tie('vector').map((each) => `(${each})`))),
  ),
})).vector;

const histogram = fc.oneof(
  text`rate(h_bucket${matchers}[${duration}])`,
  text`sum by (x, le) (rate(h_bucket[${duration}]))`,
  fc.constant('h_bucket'),
);

/** PromQL by the construct that it is about. */
export const expressions: Readonly<Record<string, fc.Arbitrary<string>>> = {
  selectors: selector,
  rate,
  'functions over time': overTime,
  topk: fc.oneof(top, text`topk(1, d${matchers})`),
  histogram_quantile: text`histogram_quantile(${fc.constantFrom('0', '0.5', '0.99', '1', '2')}, ${histogram})`,
  ...constructs(operand),
  'precedence without parentheses': text`${operand} ${fc.constantFrom('+', '-', '*', '/', '>', 'and', 'or', 'unless')} ${operand} ${fc.constantFrom('+', '-', '*', '/', '<', 'and', 'or', 'unless')} ${operand}`,
  'all of them, nested': vectors,
};
