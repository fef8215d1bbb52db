import { expect, test } from 'vitest';
import { atInterval, scrapesOf } from './scrape-interval.ts';

test('reads the notation of promtool', () => {
  expect(scrapesOf('1x2 0+20x2 stale _x2 5 3-1x1 _')).toEqual([1, 1, 1, 0, 20, 40, 'stale', '_', '_', 5, 3, 2, '_']);
  expect(() => scrapesOf('1 much')).toThrow("expected values in promtool's notation, found much");
});

test('a shorter interval has the way of a counter between two scrapes, and the value of a gauge', () => {
  const scrapes = scrapesOf('0+20x2 8 stale _ 4');
  expect(atInterval(scrapes, { from: 60, to: 30, isCounter: true })).toEqual([
    0,
    10,
    20,
    30,
    40,
    40,
    8,
    8,
    'stale',
    '_',
    '_',
    '_',
    4,
    4,
  ]);
  expect(atInterval(scrapesOf('1 5'), { from: 60, to: 15, isCounter: false })).toEqual([1, 1, 1, 1, 5, 5, 5, 5]);
});

test('a longer interval leaves scrapes out', () => {
  expect(atInterval(scrapesOf('0+20x4'), { from: 30, to: 60, isCounter: true })).toEqual([0, 40, 80]);
  expect(() => atInterval([], { from: 30, to: 45, isCounter: true })).toThrow('expected a multiple of 30 s');
});
