import { expect, test } from 'vitest';
import { parseDuration } from '../../../src/web/config/duration.ts';

test.each([
  ['1s', 1],
  ['1.5s', 1.5],
  ['.5s', 0.5],
  ['1m30s', 90],
  ['2h', 7200],
  ['100ms', 0.1],
  ['0', 0],
  [0, 0],
  [2_000_000_000, 2],
  ['-1s', undefined],
  [-1, undefined],
  [0.5, undefined],
  ['5', undefined],
  ['1 s', undefined],
  ['1d', undefined],
  ['s', undefined],
  ['', undefined],
  [true, undefined],
])('%j', (value, seconds) => {
  const parsed = parseDuration(value);
  if (seconds === undefined) expect(parsed).toBeUndefined();
  else expect(parsed).toBeCloseTo(seconds, 9);
});
