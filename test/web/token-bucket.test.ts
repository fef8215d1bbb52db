import { expect, test } from 'vitest';
import { TokenBucket } from '../../src/web/token-bucket.ts';

test('a burst at once, then one each interval, and no more than a burst saved up', () => {
  let now = 0;
  const bucket = new TokenBucket({ intervalSeconds: 2, burst: 3 }, () => now);
  const take = (times: number) => Array.from({ length: times }, () => bucket.take());
  expect(take(4)).toEqual([true, true, true, false]);
  now = 1;
  expect(take(1)).toEqual([false]);
  now = 2;
  expect(take(2)).toEqual([true, false]);
  now = 1000;
  expect(take(4)).toEqual([true, true, true, false]);
});
