import { expect, test } from 'vitest';
import { growthOfU32, growthOfU64 } from '../../src/metrics/accumulator.ts';
import { counter } from '../../src/metrics/descriptor.ts';
import { Families } from '../../src/metrics/families.ts';
import { LabelSets } from '../../src/metrics/labels.ts';
import { SummedCounter } from '../../src/metrics/summed-counter.ts';

const events = counter('xen_events_total', 'Events. Source: here.', ['domain']);
const labels = new LabelSets(events.labels).get('web');

const flushed = (summed: SummedCounter<'domain'>, unit?: (value: number) => number): number[] => {
  const out = new Families();
  summed.flush(out, unit);
  return out.list().flatMap(({ samples }) => samples.map(({ value }) => value));
};

test('begins at what its sources read and grows by what they grow by', () => {
  const summed = new SummedCounter(events, growthOfU64);
  summed.feed(labels, 'q0', 100);
  summed.feed(labels, 'q1', 50);
  expect(flushed(summed)).toEqual([150]);
  summed.feed(labels, 'q0', 110);
  summed.feed(labels, 'q1', 50);
  expect(flushed(summed)).toEqual([160]);
});

test('a source that goes away, restarts or is replaced does not take it down', () => {
  const summed = new SummedCounter(events, growthOfU64);
  summed.feed(labels, 'q0', 100);
  summed.feed(labels, 'q1', 50);
  flushed(summed);
  summed.feed(labels, 'q0', 100);
  expect(flushed(summed)).toEqual([150]);
  summed.feed(labels, 'q0', 7);
  expect(flushed(summed)).toEqual([157]);
  summed.feed(labels, 'another', 3);
  expect(flushed(summed)).toEqual([160]);
});

test('32 bits wrap', () => {
  const summed = new SummedCounter(events, growthOfU32);
  summed.feed(labels, 'q0', 2 ** 32 - 10);
  flushed(summed);
  summed.feed(labels, 'q0', 5);
  expect(flushed(summed)).toEqual([2 ** 32 + 5]);
});

test('a series that was not fed is gone, and begins anew; an undefined reading feeds nothing', () => {
  const summed = new SummedCounter(events, growthOfU64);
  summed.feed(labels, 'q0', 100);
  flushed(summed);
  summed.feed(labels, 'q0', undefined);
  expect(flushed(summed)).toEqual([]);
  summed.feed(labels, 'q0', 20);
  expect(flushed(summed)).toEqual([20]);
});

test('the unit is the metric’s; without a place to put them samples are kept for the next time', () => {
  const summed = new SummedCounter(events, growthOfU64);
  summed.feed(labels, 'q0', 500);
  summed.flush(undefined);
  summed.feed(labels, 'q0', 750);
  expect(flushed(summed, (ticks) => ticks / 250)).toEqual([3]);
});
