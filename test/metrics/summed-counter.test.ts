import { describe, expect, test } from 'vitest';
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

describe('a series that is not fed', () => {
  /** One that read 100 and is then left alone for so many rounds. */
  const left = (rounds: number): SummedCounter<'domain'> => {
    const summed = new SummedCounter(events, growthOfU64);
    summed.feed(labels, 'q0', 100);
    flushed(summed);
    for (let round = 0; round < rounds; round += 1) {
      summed.feed(labels, 'q0', undefined);
      expect(flushed(summed)).toEqual([]);
    }
    return summed;
  };

  test('is gone; its source goes on where it was when it is back', () => {
    const summed = left(60);
    summed.feed(labels, 'q0', 103);
    expect(flushed(summed)).toEqual([103]);
  });

  test('goes on also with another source, and under another label object of the same values', () => {
    const summed = left(10);
    summed.feed(new LabelSets(events.labels).get('web'), 'of another domid', 20);
    expect(flushed(summed)).toEqual([120]);
  });

  test('begins anew after long', () => {
    const summed = left(61);
    summed.feed(labels, 'q0', 103);
    expect(flushed(summed)).toEqual([103]);
    const again = left(61);
    again.feed(labels, 'of another domid', 20);
    expect(flushed(again)).toEqual([20]);
  });
});

test('the unit is the metric’s; without a place to put them samples are kept for the next time', () => {
  const summed = new SummedCounter(events, growthOfU64);
  summed.feed(labels, 'q0', 500);
  summed.flush(undefined);
  summed.feed(labels, 'q0', 750);
  expect(flushed(summed, (ticks) => ticks / 250)).toEqual([3]);
});
