import { expect, test } from 'vitest';
import { fileLines, outputLines } from '../../src/formats/output-lines.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const pools = readText('xl/credit-two-pools.xl-cpupool-list');

test('splits an output into its lines', () => {
  expect(outputLines(pools)).toEqual([
    'Name               CPUs   Sched     Active   Domain count',
    'Pool-0               3    credit       y          3',
    'pool1                1   credit2       y          1',
  ]);
});

test('passes over the carriage returns of a terminal on the way', () => {
  expect(outputLines(pools.replaceAll('\n', '\r\n'))).toEqual(outputLines(pools));
  expect(outputLines('a name with one\r\nb\n')).toEqual(['a name with one\r', 'b']);
});

test('a file may have blank lines, but its last one must be whole', () => {
  expect(fileLines('a\n\n  \nb\n')).toEqual(['a', 'b']);
  expect(fileLines('')).toEqual([]);
  expect(thrownBy(() => fileLines('a\nb'))).toBe('ParseError: expected a line end at the end of the file, found "b"');
});

test.each([
  ['', 'expected lines that all end in a newline, found no output'],
  [
    pools.slice(0, -1),
    'expected lines that all end in a newline, found "pool1                1   credit2       y          1"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => outputLines(text))).toBe(`ParseError: ${message}`);
});
