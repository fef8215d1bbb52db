import { describe, expect, test } from 'vitest';
import { LabelSets } from '../../src/metrics/labels.ts';

describe('the label object of a series', () => {
  test('is the same while it is asked for between sweeps', () => {
    const sets = new LabelSets(['domain', 'vif']);
    const labels = sets.get('domu1', '0');
    expect(labels).toEqual({ domain: 'domu1', vif: '0' });
    for (let scrape = 0; scrape < 3; scrape += 1) {
      expect(sets.get('domu1', '0')).toBe(labels);
      expect(sets.get('domu1', '1')).not.toBe(labels);
      sets.sweep();
    }
  });

  test('is forgotten in the sweep before which nobody asked', () => {
    const sets = new LabelSets(['domain', 'vif']);
    const labels = sets.get('domu1', '0');
    sets.sweep();
    sets.get('domu1', '1');
    sets.sweep();
    expect(sets.get('domu1', '0')).toEqual(labels);
    expect(sets.get('domu1', '0')).not.toBe(labels);
  });

  test.each([
    ['a NUL', 'a\0b', 'a\ufffdb'],
    ['half a character', 'a\ud800', 'a\ufffd'],
  ])('is one for values that differ only in %s', (_, unclean, clean) => {
    const sets = new LabelSets(['domain', 'vif']);
    const labels = sets.get(unclean, '0');
    expect(labels).toEqual({ domain: clean, vif: '0' });
    sets.sweep();
    expect(sets.get(unclean, '0')).toBe(labels);
    expect(sets.get(clean, '0')).toBe(labels);
    sets.sweep();
    expect(sets.get(clean, '0')).toBe(labels);
    expect(sets.get(unclean, '0')).toBe(labels);
  });

  test('keeps values apart that are alike when they are joined', () => {
    const sets = new LabelSets(['domain', 'vif']);
    expect(sets.get('a\0b', 'c')).not.toBe(sets.get('a', 'b\0c'));
  });

  test('of no labels is one', () => {
    const sets = new LabelSets([]);
    expect(sets.get()).toBe(sets.get());
    expect(sets.get()).toEqual({});
  });

  test('has empty text for a value that is not given', () => {
    expect(new LabelSets(['domain', 'vif']).get('domu1')).toEqual({ domain: 'domu1', vif: '' });
  });
});
