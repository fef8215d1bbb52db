import { expect, test } from 'vitest';
import { Histogram } from '../../src/metrics/histogram.ts';

const bounds = ['0.1', '1.0', '+Inf'] as const;
const of = (...values: readonly number[]): Histogram => {
  const histogram = new Histogram(bounds);
  for (const value of values) histogram.observe(value);
  return histogram;
};

test('counts are cumulative; a value on a bound is below it', () => {
  expect(of(0.05, 0.1, 0.5, 7).read()).toEqual({
    buckets: [
      { le: '0.1', count: 2 },
      { le: '1.0', count: 3 },
      { le: '+Inf', count: 4 },
    ],
    sum: 7.65,
  });
});

test('all that another has observed can be added, which stays as it is', () => {
  const [one, other] = [of(0.0625, 0.5), of(0.5, 8)];
  one.addAll(other);
  expect(one.read()).toEqual(of(0.0625, 0.5, 0.5, 8).read());
  expect(other.read()).toEqual(of(0.5, 8).read());
});
