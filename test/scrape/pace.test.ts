import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pace } from '../../src/scrape/pace.ts';
import { Attention, timeFor } from '../../src/sources/activity.ts';
import { randomFrom } from '../support/random.ts';

const hertz = 20;

/**
 * Seconds that samples count of something that is so from `begin` to `end`. They are taken until it has long been over.
 */
const countedOf = (begin: number, end: number, random: () => number, leastSeconds = 0): number => {
  const pace = new Pace(hertz, random);
  const attention = new Attention();
  let counted = 0;
  for (let at = 0; at <= end || attention.isActive;) {
    const wait = pace.nextWait(attention.isActive, leastSeconds);
    at += wait;
    const isSo = at >= begin && at < end;
    if (isSo) counted += pace.secondsAfter(wait);
    else pace.secondsAfter(wait);
    attention.look(at, isSo);
  }
  return counted;
};

const meanOf = (count: number, value: () => number): number => {
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += value();
  return sum / count;
};

test('one burst out of silence of 0.2 to 5 s is counted for its true length on average', () => {
  const bursts = fc.record({ seconds: fc.double({ min: 0.2, max: 5, noNaN: true }), seed: fc.integer() });
  fc.assert(
    fc.property(bursts, ({ seconds, seed }) => {
      const random = randomFrom(seed);
      // A short burst is met seldom and then counts a second or more: its mean needs more bursts.
      const counted = meanOf(200_000 / seconds ** 0.9, () => {
        const begin = 3 + random();
        return countedOf(begin, begin + seconds, random);
      });
      expect(counted / seconds).toBeGreaterThan(0.97);
      expect(counted / seconds).toBeLessThan(1.03);
    }),
    {
      numRuns: 8,
      seed: 42,
      examples: [[{ seconds: 0.2, seed: 1 }], [{ seconds: 1, seed: 2 }], [{ seconds: 5, seed: 3 }]],
    },
  );
}, 60_000);

test('so is one under a budget that makes samples rare', () => {
  const random = randomFrom(7);
  const counted = meanOf(40_000, () => countedOf(3, 4, random, 0.4));
  expect(counted).toBeGreaterThan(0.97);
  expect(counted).toBeLessThan(1.03);
});

test('and one of a thing that is quiet while others are not, which is sampled by chance', () => {
  const random = randomFrom(8);
  const counted = meanOf(20_000, () => {
    const pace = new Pace(hertz, random);
    const attention = new Attention();
    let sum = 0;
    for (let at = 0; at < 8;) {
      const wait = pace.nextWait(true, 0);
      at += wait;
      const time = timeFor(attention, pace.secondsAfter(wait), random);
      if (time === 0) continue;
      const isSo = at >= 3 && at < 4;
      if (isSo) sum += time;
      attention.look(at, isSo);
    }
    return sum;
  });
  expect(counted).toBeGreaterThan(0.97);
  expect(counted).toBeLessThan(1.03);
});

test('what lasts is counted for its length each time: within 2 % of a minute', () => {
  const random = randomFrom(9);
  const pace = new Pace(hertz, random);
  const shares: number[] = [];
  let [at, counted] = [0, 0];
  for (let minute = 1; minute <= 200; minute += 1) {
    const before = counted;
    const began = at;
    while (at < 60 * minute) {
      const wait = pace.nextWait(true, 0);
      at += wait;
      counted += pace.secondsAfter(wait);
    }
    shares.push((counted - before) / (at - began));
  }
  expect(Math.min(...shares)).toBeGreaterThan(0.98);
  expect(Math.max(...shares)).toBeLessThan(1.02);
});

test('waits are memoryless: as often longer than two means as a wait that is one mean old lasts one more', () => {
  const random = randomFrom(10);
  const pace = new Pace(hertz, random);
  const waits = Array.from({ length: 100_000 }, () => pace.nextWait(true, 0) * hertz);
  const longer = (than: number): number => waits.filter((wait) => wait > than).length;
  expect(longer(2) / longer(1)).toBeCloseTo(longer(1) / waits.length, 2);
  expect(longer(1) / waits.length).toBeCloseTo(Math.exp(-1), 2);
});

test('a late timer: the sample stands for the delay as well', () => {
  const pace = new Pace(hertz, () => 0.5);
  const wait = pace.nextWait(false, 0);
  expect(pace.secondsAfter(wait + 3)).toBeCloseTo(4);
  expect(pace.missedAfter(wait + 3)).toBeCloseTo(3);
});
