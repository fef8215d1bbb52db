import { expect, test } from 'vitest';
import { hasJiffies, parseTimerList } from '../../src/formats/proc-timer-list.ts';
import { readText } from '../../tools/lib/fixture.ts';

const capture = readText('linux-6.18/proc-timer_list-head');

test('clock and jiffies of the same moment', () => {
  const { nowSeconds, jiffies } = parseTimerList(capture);
  const [, nanoseconds] = capture.split('\n')[2]!.split(' at ');
  expect(nowSeconds).toBe(Number.parseInt(nanoseconds!, 10) / 1e9);
  // A 250 Hz kernel: jiffies begin five minutes before they wrap at 32 bits.
  expect((jiffies - (2 ** 32 - 300 * 250)) / nowSeconds).toBeCloseTo(250, 0);
});

test('reading can stop behind the first jiffies', () => {
  const end = capture.indexOf('\njiffies: ') + 1;
  expect(hasJiffies(capture.slice(0, end + 12))).toBe(false);
  expect(hasJiffies(capture)).toBe(true);
});

test.each([
  ['', 'expected a line "now at ... nsecs", found an empty file'],
  [capture.slice(0, 120), 'expected a line "jiffies: ..."'],
])('no timer list', (text, message) => expect(() => parseTimerList(text)).toThrow(message));
