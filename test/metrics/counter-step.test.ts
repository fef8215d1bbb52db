import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounds, type Bounds } from '../../src/metrics/bounds.ts';
import {
  firstStep,
  judgeStep,
  judgeTogether,
  mostGrowth,
  stepForward,
  type CounterSource,
  type CounterStep,
  type CounterWidth,
} from '../../src/metrics/counter-step.ts';

interface Reading {
  readonly now: number;
  readonly at: number;
}

/** Total after each reading of one counter, and the largest growth that its bounds allowed. */
const judged = (
  readings: readonly Reading[],
  kind: Bounds,
  width?: CounterWidth,
): { total: number; most: number }[] => {
  let source: CounterSource | undefined;
  let total = 0;
  return readings.map(({ now, at }) => {
    const reading = { now, at, bounds: kind, count: 1, width };
    const continued = source?.before ?? source;
    const most = continued ? mostGrowth(kind.perSecond, continued.at, at) : Infinity;
    if (source) total += stepForward(source, now, at, kind.perSecond) ?? judgeStep(source, reading, false).growth;
    else {
      const [begun, { growth }] = firstStep(reading);
      source = begun;
      total += growth;
    }
    return { total, most };
  });
};

const totalsOf = (...args: Parameters<typeof judged>): number[] => judged(...args).map(({ total }) => total);

/** Readings at this distance in seconds. */
const every = (seconds: number, ...values: number[]): Reading[] => values.map((now, i) => ({ now, at: i * seconds }));

describe('a counter that steps back', () => {
  test('a little, again and again: neither the step nor the way up to where it was is counted', () => {
    const sawtooth = [5000, 5001, 5000, 5001, 5000, 5001, 5002];
    expect(totalsOf(every(1, ...sawtooth), bounds.cpuTicks)).toEqual([5000, 5001, 5001, 5001, 5001, 5001, 5002]);
  });

  test('by as much as is noise', () => {
    const { stepBack } = bounds.cpuTicks;
    expect(totalsOf(every(15, 9000, 9000 - stepBack, 9100), bounds.cpuTicks)).toEqual([9000, 9000, 9100]);
  });

  test('to 0, and counts from there: it restarted', () => {
    expect(totalsOf(every(1, 3e9, 5, 1000), bounds.events, 'u32')).toEqual([3e9, 3e9 + 5, 3e9 + 1000]);
    expect(totalsOf(every(15, 5000, 7), bounds.packets, 'u64')).toEqual([5000, 5007]);
  });

  test('by less than 1 %: no source restarts that close to where it was', () => {
    expect(totalsOf(every(15, 1e6, 999_999, 1_000_005), bounds.packets, 'u64')).toEqual([1e6, 1e6, 1_000_005]);
    expect(totalsOf(every(15, 1e6, 990_000, 980_100), bounds.packets, 'u64')).toEqual([1e6, 1e6, 1e6 + 980_100]);
    expect(totalsOf(every(15, 10, 9), bounds.packets, 'u64')).toEqual([10, 19]);
  });

  test('far, and to nowhere near 0: it goes on from there', () => {
    expect(totalsOf(every(1, 900_000, 500_000, 500_050), bounds.cpuTicks)).toEqual([900_000, 900_000, 900_050]);
  });
});

test('32 bits wrap where the growth is plausible', () => {
  const readings = every(15, 2 ** 32 - 6, 2 ** 32 - 1, 4, 10);
  expect(totalsOf(readings, bounds.events, 'u32')).toEqual([2 ** 32 - 6, 2 ** 32 - 1, 2 ** 32 + 4, 2 ** 32 + 10]);
});

test.each([
  ['which was far from 2^32', 1000, 900],
  ['which was far from 2^32, on each of many CPUs', 100, 480],
  ['after a pause in which any counter could have wrapped', 3e9, 900],
])('a counter %s has restarted', (_, high, pause) => {
  expect(totalsOf(every(pause, high, 5), bounds.events, 'u32')).toEqual([high, high + 5]);
});

test('a wrap where another counter of the device is back from nonsense', () => {
  const wrapping: CounterSource = { high: 2 ** 32 - 10, at: 0, isDoubtful: false };
  const doubtful: CounterSource = { high: 4e9, at: 0, isDoubtful: true, before: { high: 1000, at: 0 } };
  const reading = { at: 15, bounds: bounds.events, count: 1, width: 'u32' as const };
  const steps: CounterStep[] = [];
  const suspects = [
    { source: wrapping, device: 'vif0', reading: { ...reading, now: 5 } },
    { source: doubtful, device: 'vif0', reading: { ...reading, now: 1100 } },
  ];
  judgeTogether(suspects, (_, step) => steps.push(step));
  expect(steps).toEqual([
    { growth: 15, isReset: false },
    { growth: 100, isReset: false },
  ]);
});

test('no wrap, but a restart, where another counter of the device went back too', () => {
  const source: CounterSource = { high: 2 ** 32 - 10, at: 0, isDoubtful: false };
  const reading = { now: 5, at: 15, bounds: bounds.events, count: 1, width: 'u32' as const };
  expect(judgeStep({ ...source }, reading, false)).toEqual({ growth: 15, isReset: false });
  expect(judgeStep({ ...source }, reading, true)).toEqual({ growth: 5, isReset: true });
});

describe('absurd readings', () => {
  test.each([1_504_706_785_701, 2 ** 64 / 1e7, 2 ** 64])(
    '%d adds nothing: the counter continues where it was before',
    (absurd) => {
      const readings = every(1, 58_059, absurd, absurd - 1e9, 58_159, 58_259, 58_359);
      expect(totalsOf(readings, bounds.cpuTicks, 'u64')).toEqual([58_059, 58_059, 58_059, 58_159, 58_259, 58_359]);
    },
  );

  test.each([0, 10 * 2048])('that stand still or grow by %d: the counter continues where it was before', (growth) => {
    const underflow = 2 ** 64 - 2 ** 20;
    const readings = every(15, 3284, underflow, underflow + growth, 3294 + growth, 3304 + growth);
    const totals = [3284, 3284, 3284 + growth, 3294 + growth, 3304 + growth];
    expect(totalsOf(readings, bounds.connections, 'u64')).toEqual(totals);
  });

  test('one that is too low', () => {
    expect(totalsOf(every(15, 1e10, 6e9, 6e9, 1e10 + 10), bounds.packets, 'u64')).toEqual([
      1e10,
      1e10,
      1e10,
      1e10 + 10,
    ]);
  });

  test('one that stays: the counter continues from it, also when it stood still for long', () => {
    const readings = [...every(15, 1000, 1e11, 1e11), { now: 1e11 + 10, at: 3600 }];
    expect(totalsOf(readings, bounds.packets, 'u64')).toEqual([1000, 1000, 1000, 1010]);
  });

  test.each([NaN, Infinity, -Infinity, -10])('%d, which no counter reads', (nonsense) => {
    const readings = every(15, 600, nonsense, nonsense, 610);
    expect(totalsOf(readings, bounds.requests, 'u64')).toEqual([600, 600, 600, 610]);
    expect(totalsOf(every(15, nonsense, nonsense, 600, 610), bounds.requests, 'u64')).toEqual([0, 0, 600, 610]);
  });

  test('the very first one', () => {
    expect(totalsOf(every(1, 2 ** 64 / 1e7, 100, 200), bounds.cpuTicks, 'u64')).toEqual([0, 0, 100]);
  });

  test.each([2 ** 63, 2 ** 64 - 2048])('the very first one, of a counter that may grow fast, if it is %d', (absurd) => {
    expect(totalsOf(every(15, absurd, absurd, 5000, 6000), bounds.bytes, 'u64')).toEqual([0, 0, 0, 1000]);
  });

  test('a CPU that runs for longer than the time that passes, reading after reading', () => {
    const readings = every(0.001, ...Array.from({ length: 1001 }, (_, i) => i * 400));
    expect(totalsOf(readings, bounds.cpuTicks).at(-1)).toBeLessThan(1.1 * bounds.cpuTicks.perSecond * (1 + 5));
  });

  test('none where the clock of the counter is a little faster than ours, however long', () => {
    const readings = every(15, ...Array.from({ length: 10_000 }, (_, i) => i * 15 * 100 * 1.001));
    expect(totalsOf(readings, bounds.cpuTicks).at(-1)).toBeCloseTo(readings.at(-1)!.now);
  });

  test('a CPU that ran for more than the time that passed', () => {
    expect(totalsOf(every(15, 1000, 1000 + 100 * 15, 1000 + 100 * 3600), bounds.cpuTicks)).toEqual([1000, 2500, 2500]);
  });
});

describe('whatever is read', () => {
  const kinds = fc.constantFrom<[Bounds, CounterWidth | undefined]>(
    [bounds.cpuTicks, 'u64'],
    [bounds.vcpuTenths, undefined],
    [bounds.events, 'u32'],
    [bounds.bytes, 'u64'],
  );
  const pause = fc.double({ min: 0.001, max: 3600, noNaN: true });
  const anything = fc.oneof(
    fc.nat(10_000),
    fc.nat(2 ** 32 - 1),
    fc.maxSafeNat(),
    fc.constantFrom(0, 2 ** 32 - 1, 2 ** 64, NaN, Infinity, -1),
  );

  test('a total never goes down, and never grows by more than the bounds allow', () => {
    const readings = fc.array(fc.record({ now: anything, pause }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(kinds, readings, ([kind, width], steps) => {
        let at = 0;
        const timed = steps.map(({ now, pause: seconds }) => ({ now, at: (at += seconds) }));
        let last = 0;
        for (const { total, most } of judged(timed, kind, width)) {
          expect(total).toBeGreaterThanOrEqual(last);
          // The sum of two very different totals is exact to one part in 2^53.
          expect(total - last).toBeLessThanOrEqual(most + total * 2 ** -50);
          last = total;
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('all of it together is no more than the bounds allow for all of the time, however often it is read', () => {
    const shares = fc.array(
      fc.record({ share: fc.double({ min: 0, max: 2, noNaN: true }), pause, back: fc.boolean() }),
      {
        minLength: 2,
        maxLength: 50,
      },
    );
    fc.assert(
      fc.property(kinds, shares, fc.constantFrom(1, 0.001), ([kind, width], steps, hurry) => {
        let [now, at] = [0, 0];
        const readings = steps.map(({ share, pause: seconds, back }) => {
          at += seconds * hurry;
          now = back ? now / 2 : now + share * mostGrowth(kind.perSecond, 0, seconds * hurry);
          return { now, at };
        });
        const { total } = judged([{ now: 0, at: 0 }, ...readings], kind, width).at(-1)!;
        expect(total).toBeLessThanOrEqual(1.1 * mostGrowth(kind.perSecond, 0, at) * (1 + 2 ** -40));
      }),
      { numRuns: 2000 },
    );
  });

  test('the total is what the last plausible reading reads, if the first one is plausible', () => {
    const step = fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), pause, isAbsurd: fc.boolean() });
    const absurd = fc.double({ min: 1e17, max: 2 ** 64, noNaN: true });
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 50 }), absurd, (steps, nonsense) => {
        let [now, at] = [0, 0];
        const readings = steps.map(({ share, pause: seconds, isAbsurd }) => {
          at += seconds;
          now += Math.floor(share * bounds.cpuTicks.perSecond * seconds);
          return { now: isAbsurd ? nonsense : now, at, isAbsurd };
        });
        let last = 0;
        const totals = totalsOf([{ now: 0, at: 0 }, ...readings], bounds.cpuTicks, 'u64').slice(1);
        for (const [i, { isAbsurd, now: reads }] of readings.entries()) {
          if (!isAbsurd) last = reads;
          expect(totals[i]).toBe(last);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
