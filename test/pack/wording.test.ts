import { expect, test } from 'vitest';
import type { Alert, AlertLevel, Unit } from '../../src/pack/alerts/alert.ts';
import { alertNamed, alerts } from '../../src/pack/alerts/alerts.ts';
import { readingInWords, readingTemplate } from '../../src/pack/wording.ts';

const limited = (unit: Unit | undefined, threshold: number) => {
  const reading = { ...(unit && { unit }), text: (value: string) => (unit ? `it is ${value}` : 'it is so') };
  return {
    alert: { name: 'A' } as Alert,
    level: { severity: 'warning', threshold: { value: threshold, why: '' }, reading } as AlertLevel,
    threshold,
  };
};

test.each([
  ['percent', 0.3, 0.5649, 'it is 56 %, limit 30 %'],
  ['percent', 0.05, 0.1234, 'it is 12.3 %, limit 5 %'],
  ['number', 1, 1.26, 'it is 1.3, limit 1'],
  ['number', 100_000, 812_345, 'it is 812.3k, limit 100k'],
  ['number', 500_000, 1_234_567, 'it is 1.235M, limit 500k'],
  ['seconds', 0.01, 0.0123456, 'it is 12.35ms, limit 10ms'],
  ['seconds', 0.01, 0.000_05, 'it is 50us, limit 10ms'],
  ['seconds', 2, 3.5, 'it is 3.5s, limit 2s'],
  ['seconds', 2, 75.5, 'it is 1m 15s, limit 2s'],
  ['seconds', 2, 3725, 'it is 1h 2m 5s, limit 2s'],
  [undefined, 0.5, 1, 'it is so'],
] as const)('%s, limit %d: %d', (unit, threshold, value, words) => {
  expect(readingInWords(limited(unit, threshold), value)).toBe(words);
});

test('a value without words is a multiple of its limit', () => {
  const { alert, threshold } = limited('percent', 0.5);
  const level: AlertLevel = { severity: 'warning', threshold: { value: threshold, why: '' } };
  expect(readingInWords({ alert, level, threshold }, 2)).toBe('4 times its limit');
});

test('text and template of each reading of the pack are one sentence around the value', () => {
  for (const alert of alerts)
    for (const level of alert.levels) {
      const reading = level.reading ?? alert.reading;
      if (!reading?.unit) continue;
      const threshold = level.threshold.value;
      const words = readingInWords({ alert, level, threshold }, threshold);
      const template = readingTemplate({ alert, level, threshold });
      const pattern = template
        .split(/\{\{ range .*?\{\{ end \}\}/)
        .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('\\S+(?: %)?');
      expect(words).toMatch(new RegExp(`^${pattern}$`));
    }
});

test('the words of a symptom', () => {
  const alert = alertNamed('XenAcceptQueueOverflow');
  const [level] = alert.levels;
  expect(readingInWords({ alert, level, threshold: 0.01 }, 0.25)).toBe(
    'the accept queue was full for 25.0 % of the time, limit 1 %',
  );
});
