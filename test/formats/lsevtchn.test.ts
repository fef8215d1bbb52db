import { expect, test } from 'vitest';
import { parseVirqs, traceBufferVirq } from '../../src/formats/lsevtchn.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const capture = readText('xl/credit-storm.lsevtchn-0');

test('the virtual IRQs of Dom0: timers, console, xenstore and others, and no tracer', () => {
  expect(parseVirqs(capture)).toEqual([0, 0, 9, 16, 2, 3]);
});

test('one that traces', () => {
  expect(parseVirqs(`${capture}  47: VCPU 0: Virtual IRQ ${traceBufferVirq}\n`)).toContain(traceBufferVirq);
});

test.each([
  ['', 'expected lines that all end in a newline, found no output'],
  [
    capture.slice(0, -1),
    'expected lines that all end in a newline, found "  46: VCPU 0: Interdomain (Connected) - Remote Domain 3, Po…"',
  ],
  [`${capture}garbage\n`, 'expected a line "PORT: VCPU N: ...", found "garbage"'],
  [`${capture}\n`, 'expected a line "PORT: VCPU N: ...", found an empty line'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseVirqs(text))).toBe(`ParseError: ${message}`);
});
