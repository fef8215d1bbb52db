import { aggregate, top } from './aggregate.ts';
import { ofScalars, ofSets, ofVectors, sameLabels, unique, withScalar } from './binary.ts';
import { histogramQuantile } from './histogram-quantile.ts';
import type { Sample } from './labels.ts';
import { wholeValue } from './matchers.ts';
import { rangeFunction } from './range-functions.ts';
import type { Series, Store } from './store.ts';
import {
  defaultLookbackMs,
  setOperators,
  type Binary,
  type Expr,
  type ExprOf,
  type Selector,
  type SetOperator,
} from './tree.ts';

/** The input of an evaluation: samples and a time. */
export interface Moment {
  store: Store;
  /** Unix time in milliseconds. */
  time: number;
  /** How long a selector without a range looks back for a value. Default: 5 minutes. */
  lookbackMs?: number;
  /**
   * Ranges look back no longer than this: a rate over a window that began before the first sample would be too low.
   * Default: as far as they say.
   */
  longestRangeMs?: number;
}

/** The samples that `read` finds in the series of a selector. */
const read = (series: readonly Series[], name: string, valueOf: (series: Series) => number | undefined): Sample[] => {
  const samples: Sample[] = [];
  for (const each of series) {
    const value = valueOf(each);
    if (value !== undefined) samples.push({ name, labels: each.labels, value });
  }
  return samples;
};

const instant = (selector: Selector, { store, time, lookbackMs = defaultLookbackMs }: Moment): Sample[] =>
  read(store.select(selector), selector.name, (series) => series.at(time - selector.offsetMs, lookbackMs));

const range = ({ fn, of, rangeMs }: ExprOf<'range'>, { store, time, longestRangeMs = Infinity }: Moment): Sample[] => {
  const end = time - of.offsetMs;
  const start = end - Math.min(rangeMs, longestRangeMs);
  // The last value of a series is still the series itself.
  const name = fn === 'last_over_time' ? of.name : '';
  return read(store.select(of), name, (series) => {
    const samples = series.range(start, end);
    return samples && rangeFunction[fn](samples);
  });
};

const replaced = ({ label, replacement, source, pattern }: ExprOf<'labelReplace'>, sample: Sample): Sample => {
  const match = wholeValue(pattern).exec(sample.labels.get(source));
  if (!match) return sample;
  const value = replacement.replace(/\$(\d+)/g, (_, group: string) => match[Number(group)] ?? '');
  return { ...sample, labels: sample.labels.with(label, value) };
};

const isSetOperator = (op: Binary['op']): op is SetOperator => (setOperators as readonly string[]).includes(op);

const binary = (expr: Binary, moment: Moment): number | Sample[] => {
  const left = evaluate(expr.left, moment);
  const right = evaluate(expr.right, moment);
  if (typeof left === 'number')
    return typeof right === 'number' ? ofScalars(expr, left, right) : withScalar(expr, right, left);
  if (typeof right === 'number') return withScalar(expr, left, undefined, right);
  const { op, matching = { on: false, labels: [] } } = expr;
  return isSetOperator(op) ? ofSets(op, matching, left, right) : ofVectors(expr, matching, left, right);
};

/** A vector. The parser has checked that the expression is one. */
const vector = (expr: Expr, moment: Moment): Sample[] => evaluate(expr, moment) as Sample[];

/**
 * The value of an expression: a scalar, or a vector without duplicates. Throws an EvaluationError where Prometheus
 * refuses.
 */
export const evaluate = (expr: Expr, moment: Moment): number | Sample[] => {
  switch (expr.kind) {
    case 'number':
      return expr.value;
    case 'time':
      return moment.time / 1000;
    case 'selector':
      return instant(expr, moment);
    case 'range':
      return range(expr, moment);
    case 'labelReplace':
      return unique(
        vector(expr.of, moment).map((sample) => replaced(expr, sample)),
        sameLabels,
      );
    case 'histogramQuantile':
      return histogramQuantile(expr.quantile, vector(expr.of, moment));
    case 'aggregation':
      return aggregate(expr, vector(expr.of, moment));
    case 'top':
      return top(expr, vector(expr.of, moment));
    case 'binary':
      return binary(expr, moment);
  }
};
