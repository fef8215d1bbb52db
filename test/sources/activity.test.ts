import { expect, test } from 'vitest';
import { Attention, timeFor } from '../../src/sources/activity.ts';

test('the full rate from what moves until two seconds after it', () => {
  const attention = new Attention();
  const at = (seconds: number, isBusy: boolean): boolean => {
    attention.look(seconds, isBusy);
    return attention.isActive;
  };
  expect(attention.isActive).toBe(false);
  expect([at(1, false), at(2, true), at(3.9, false), at(4, false), at(4.1, true)]).toEqual([
    false,
    true,
    true,
    false,
    true,
  ]);
});

test('the dearer look is taken only when the full rate would end', () => {
  const attention = new Attention();
  let looks = 0;
  const hasMoved = (): boolean => (looks += 1) === 1;
  attention.look(10, false, hasMoved);
  expect([looks, attention.isActive]).toEqual([1, true]);
  attention.look(11, false, hasMoved);
  attention.look(11.5, true, hasMoved);
  expect([looks, attention.isActive]).toEqual([1, true]);
  attention.look(13.5, false, hasMoved);
  expect([looks, attention.isActive]).toEqual([2, false]);
});

test('a quiet thing is in a share of the samples, which stand for that much more', () => {
  const attention = new Attention();
  expect(timeFor(attention, 0.05, () => 0.049)).toBe(1);
  expect(timeFor(attention, 0.05, () => 0.051)).toBe(0);
  expect(timeFor(attention, 1.5, () => 0.99)).toBe(1.5);
  attention.look(1, true);
  expect(timeFor(attention, 0.05, () => 0.99)).toBe(0.05);
});
