import { seriesKey, type Labels, type Sample } from './labels.ts';
import type { Arithmetic, Binary, Comparison, Matching, SetOperator } from './tree.ts';

/** An evaluation that Prometheus refuses too. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}

const calculate: Readonly<Record<Arithmetic, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
};

const compare: Readonly<Record<Comparison, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '>': (left, right) => left > right,
  '<': (left, right) => left < right,
};

type Operation = Pick<Binary, 'op' | 'bool'>;

const isComparison = (op: Binary['op']): op is Comparison => op in compare;
/** A filter keeps the metric name, a calculation does not. */
const keepsName = ({ op, bool }: Operation): boolean => isComparison(op) && !bool;

/** The result for two values, of which a filter keeps `kept`. Undefined if the filter keeps neither. */
const resultOf = ({ op, bool }: Operation, left: number, right: number, kept: number): number | undefined => {
  if (!isComparison(op)) return calculate[op as Arithmetic](left, right);
  const isTrue = compare[op](left, right);
  if (bool) return Number(isTrue);
  return isTrue ? kept : undefined;
};

export const ofScalars = (operation: Operation, left: number, right: number): number =>
  resultOf(operation, left, right, left)!;

/** Throws if two samples have the same name and labels. */
export const unique = (samples: Sample[], message: string): Sample[] => {
  if (new Set(samples.map(seriesKey)).size < samples.length) throw new EvaluationError(message);
  return samples;
};

export const sameLabels = 'vector cannot contain metrics with the same labelset';

/** A vector and a scalar, in either order. */
export const withScalar = (operation: Operation, samples: Sample[], left?: number, right?: number): Sample[] => {
  const results: Sample[] = [];
  for (const { name, labels, value: own } of samples) {
    const value = resultOf(operation, left ?? own, right ?? own, own);
    if (value !== undefined) results.push({ name: keepsName(operation) ? name : '', labels, value });
  }
  return keepsName(operation) ? results : unique(results, sameLabels);
};

const matchKey = ({ on, labels: names }: Matching): ((labels: Labels) => string) =>
  on ? (labels) => labels.keyOf(names) : (labels) => labels.drop(names).key;

/** The labels of a result, as resultMetric of Prometheus's promql/engine.go makes them. */
const resultLabels = ({ on, labels: names, groupLeft }: Matching, left: Labels, right: Labels): Labels => {
  if (groupLeft) return groupLeft.reduce((labels, name) => labels.with(name, right.get(name)), left);
  return on ? left.keep(names) : left.drop(names);
};

/** Two vectors, and a calculation or comparison. Each series of the left side has at most one partner on the right. */
export const ofVectors = (
  operation: Operation,
  matching: Matching,
  left: readonly Sample[],
  right: readonly Sample[],
): Sample[] => {
  // Prometheus does not look for duplicates then.
  if (left.length === 0 || right.length === 0) return [];
  const keyOfMatch = matchKey(matching);
  const partners = new Map<string, Sample>();
  for (const sample of right) {
    const key = keyOfMatch(sample.labels);
    if (partners.has(key))
      throw new EvaluationError('many-to-many matching not allowed: matching labels must be unique on one side');
    partners.set(key, sample);
  }
  const results: Sample[] = [];
  const matched = new Set<string>();
  for (const sample of left) {
    const key = keyOfMatch(sample.labels);
    const partner = partners.get(key);
    if (!partner) continue;
    const value = resultOf(operation, sample.value, partner.value, sample.value);
    if (value === undefined) continue;
    const result = {
      // `on` keeps its own labels alone, and the name is none of them.
      name: keepsName(operation) && (matching.groupLeft || !matching.on) ? sample.name : '',
      labels: resultLabels(matching, sample.labels, partner.labels),
      value,
    };
    const matchedKey = matching.groupLeft ? seriesKey(result) : key;
    if (matched.has(matchedKey))
      throw new EvaluationError(
        matching.groupLeft
          ? 'multiple matches for labels: grouping labels must ensure unique matches'
          : 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
      );
    matched.add(matchedKey);
    results.push(result);
  }
  return results;
};

export const ofSets = (op: SetOperator, matching: Matching, left: Sample[], right: Sample[]): Sample[] => {
  const keyOfMatch = matchKey(matching);
  const keysOf = (samples: readonly Sample[]) => new Set(samples.map(({ labels }) => keyOfMatch(labels)));
  if (op === 'or') {
    const keys = keysOf(left);
    return [...left, ...right.filter(({ labels }) => !keys.has(keyOfMatch(labels)))];
  }
  const keys = keysOf(right);
  return left.filter(({ labels }) => keys.has(keyOfMatch(labels)) === (op === 'and'));
};
