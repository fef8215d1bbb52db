import type { Sample } from './labels.ts';

interface Bucket {
  upperBound: number;
  count: number;
}

/** Counts of buckets that differ by less, relative to their sum, are equal: sums of rates have errors of rounding. */
const smallDelta = 1e-12;
const leastNormal = 2 ** -1022;

/** Equal of Prometheus's util/almost/almost.go. */
const almostEqual = (one: number, other: number): boolean => {
  const sum = Math.abs(one) + Math.abs(other);
  const difference = Math.abs(one - other);
  if (one === 0 || other === 0 || sum < leastNormal) return difference < smallDelta * leastNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < smallDelta;
};

/** Counts of buckets are cumulative: one that is lower than that of a smaller bucket is a mistake. */
const makeMonotonic = (buckets: readonly Bucket[]): void => {
  let previous = buckets[0]!.count;
  for (const bucket of buckets.slice(1))
    if (bucket.count < previous || almostEqual(previous, bucket.count)) bucket.count = previous;
    else previous = bucket.count;
};

/** Merges buckets that have the same bound, such as le="1" and le="1.0". */
const sortedAndMerged = (buckets: readonly Bucket[]): Bucket[] => {
  const merged = new Map<number, Bucket>();
  for (const { upperBound, count } of buckets) {
    const bucket = merged.get(upperBound);
    if (bucket) bucket.count += count;
    else merged.set(upperBound, { upperBound, count });
  }
  return [...merged.values()].sort((one, other) => one.upperBound - other.upperBound);
};

/** BucketQuantile of Prometheus's promql/quantile.go: linear within a bucket, NaN without observations. */
const bucketQuantile = (quantile: number, all: readonly Bucket[]): number => {
  if (quantile < 0) return -Infinity;
  if (quantile > 1) return Infinity;
  const buckets = sortedAndMerged(all);
  const highest = buckets.at(-1)!;
  if (highest.upperBound !== Infinity) return NaN;
  makeMonotonic(buckets);
  if (buckets.length < 2 || highest.count === 0) return NaN;
  const rank = quantile * highest.count;
  const found = buckets.slice(0, -1).findIndex(({ count }) => count >= rank);
  if (found < 0) return buckets.at(-2)!.upperBound;
  const { upperBound, count } = buckets[found]!;
  if (found === 0 && upperBound <= 0) return upperBound;
  const below = found === 0 ? { upperBound: 0, count: 0 } : buckets[found - 1]!;
  return below.upperBound + (upperBound - below.upperBound) * ((rank - below.count) / (count - below.count));
};

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const infinity = /^([+-]?)inf(?:inity)?$/i;

/** The bound of a bucket as its label says it. NaN if the label is no number. */
const upperBoundOf = (le: string): number => {
  const [, sign] = infinity.exec(le) ?? [];
  if (sign !== undefined) return sign === '-' ? -Infinity : Infinity;
  return decimal.test(le) ? Number(le) : NaN;
};

/** The quantile of each histogram. Samples without a bound in the label le are left out. */
export const histogramQuantile = (quantile: number, samples: readonly Sample[]): Sample[] => {
  const histograms = new Map<string, { sample: Sample; buckets: Bucket[] }>();
  for (const { labels, value } of samples) {
    const upperBound = upperBoundOf(labels.get('le'));
    if (Number.isNaN(upperBound)) continue;
    const own = labels.drop(['le']);
    const histogram = histograms.get(own.key) ?? { sample: { name: '', labels: own, value: NaN }, buckets: [] };
    histograms.set(own.key, histogram);
    histogram.buckets.push({ upperBound, count: value });
  }
  return [...histograms.values()].map(({ sample, buckets }) => ({
    ...sample,
    value: bucketQuantile(quantile, buckets),
  }));
};
