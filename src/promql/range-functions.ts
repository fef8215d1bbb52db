import { maximum, minimum } from './aggregate.ts';
import type { RangeFunction } from './tree.ts';

/** Samples of a series in a range: those from index `first` to `last`, at least one. Times are milliseconds. */
export interface Range {
  times: readonly number[];
  values: readonly number[];
  first: number;
  last: number;
  start: number;
  end: number;
}

/**
 * Growth per second, as extrapolatedRate of Prometheus's promql/functions.go computes it: to the ends of the range if
 * samples are near them, else by half an interval, and never below zero. Undefined for fewer than two samples.
 */
const rate = ({ times, values, first, last, start, end }: Range): number | undefined => {
  if (first === last) return undefined;
  let growth = values[last]! - values[first]!;
  for (let index = first + 1; index <= last; index++)
    if (values[index]! < values[index - 1]!) growth += values[index - 1]!;

  const sampledSeconds = (times[last]! - times[first]!) / 1000;
  const meanInterval = sampledSeconds / (last - first);
  const threshold = meanInterval * 1.1;
  let toStart = (times[first]! - start) / 1000;
  if (toStart >= threshold) toStart = meanInterval / 2;
  if (growth > 0 && values[first]! >= 0) toStart = Math.min(toStart, sampledSeconds * (values[first]! / growth));
  let toEnd = (end - times[last]!) / 1000;
  if (toEnd >= threshold) toEnd = meanInterval / 2;
  return growth * ((sampledSeconds + toStart + toEnd) / sampledSeconds / ((end - start) / 1000));
};

const valuesOf = ({ values, first, last }: Range): number[] => values.slice(first, last + 1);

export const rangeFunction: Readonly<Record<RangeFunction, (range: Range) => number | undefined>> = {
  rate,
  last_over_time: ({ values, last }) => values[last],
  max_over_time: (range) => maximum(valuesOf(range)),
  min_over_time: (range) => minimum(valuesOf(range)),
};
