import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Accumulator, growthForwardOnly, growthOfU32 } from '../../src/metrics/accumulator.ts';

const totals = (readings: readonly number[], growth = growthOfU32): number[] => {
  const accumulator = new Accumulator<string>(growth);
  return readings.map((now) => accumulator.total('a', now));
};

describe('32-bit counters', () => {
  test('begin at what the kernel shows, go on over 2^32', () => {
    expect(totals([4294967290, 4294967295, 4, 10])).toEqual([4294967290, 4294967295, 4294967300, 4294967306]);
  });

  test('go on from a restart at 0', () => {
    expect(totals([1000, 5, 7])).toEqual([1000, 1005, 1007]);
  });

  test('never jump by 2^32, never go down', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 2 }), (readings) => {
        const all = totals(readings);
        all.slice(1).forEach((total, i) => {
          expect(total - all[i]!).toBeGreaterThanOrEqual(0);
          expect(total - all[i]!).toBeLessThan(2 ** 32);
        });
      }),
    );
  });
});

test('a counter that the kernel sets back stands still and then grows on', () => {
  expect(totals([100, 90, 95, 120], growthForwardOnly)).toEqual([100, 100, 105, 130]);
});

test('a counter that was not read between two sweeps begins anew', () => {
  const accumulator = new Accumulator<string>(growthOfU32);
  accumulator.total('gone', 5);
  accumulator.total('lives', 5);
  accumulator.sweep();
  accumulator.total('lives', 3);
  accumulator.sweep();
  expect([accumulator.total('gone', 1), accumulator.total('lives', 4)]).toEqual([1, 9]);
});
