import type { Sample } from './labels.ts';
import type { ExprOf } from './tree.ts';

/** NaN is a result only if there is no other value. */
const extreme =
  (isMore: (one: number, other: number) => boolean) =>
  (values: readonly number[]): number =>
    values.reduce((result, value) => (isMore(value, result) || Number.isNaN(result) ? value : result));

export const maximum = extreme((one, other) => one > other);
export const minimum = extreme((one, other) => one < other);

/** The Kahan-Neumaier sum, as Prometheus computes it. */
const sum = ([first, ...others]: readonly number[]): number => {
  let total = first!;
  let compensation = 0;
  for (const value of others) {
    const next = total + value;
    if (Math.abs(next) === Infinity) compensation = 0;
    else if (Math.abs(total) >= Math.abs(value)) compensation += total - next + value;
    else compensation += value - next + total;
    total = next;
  }
  return total + compensation;
};

const valueOf: Readonly<Record<ExprOf<'aggregation'>['op'], (values: readonly number[]) => number>> = {
  count: ({ length }) => length,
  group: () => 1,
  max: maximum,
  min: minimum,
  sum,
};

const grouped = (by: readonly string[], samples: readonly Sample[]): Sample[][] => [
  ...Map.groupBy(samples, ({ labels }) => labels.keyOf(by)).values(),
];

export const aggregate = ({ op, by }: ExprOf<'aggregation'>, samples: readonly Sample[]): Sample[] =>
  grouped(by, samples).map((group) => ({
    name: '',
    labels: group[0]!.labels.keep(by),
    value: valueOf[op](group.map(({ value }) => value)),
  }));

/** The greatest sample of each group, and the first of equal ones. */
export const top = ({ by }: ExprOf<'top'>, samples: readonly Sample[]): Sample[] =>
  grouped(by, samples).map((group) =>
    group.reduce((best, sample) =>
      sample.value > best.value || (Number.isNaN(best.value) && !Number.isNaN(sample.value)) ? sample : best,
    ),
  );
