import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fairLimit } from '../../src/collectors/listeners/fair-reading.ts';

test.each([
  [[], 10, 10],
  [[3, 4], 10, 10],
  [[3, 40], 10, 7],
  [[40, 3, 40], 10, 3],
  [[40, 1, 40], 10, 4],
  [Array<number>(20).fill(1), 10, 0],
])('of groups of %j at most %d in all: %d of each', (counts, most, limit) =>
  expect(fairLimit(counts, most)).toBe(limit),
);

test('never more in all, and no more would fit', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { maxLength: 20 }), fc.nat(500), (counts, most) => {
      const sum = (limit: number): number => counts.reduce((total, count) => total + Math.min(count, limit), 0);
      const limit = fairLimit(counts, most);
      expect(sum(limit)).toBeLessThanOrEqual(most);
      if (counts.some((count) => count > limit)) expect(sum(limit + 1)).toBeGreaterThan(most);
    }),
  );
});
