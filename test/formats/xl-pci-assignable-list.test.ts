import { expect, test } from 'vitest';
import { parsePciAssignableList } from '../../src/formats/xl-pci-assignable-list.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const capture = readText('xl/credit.xl-pci-assignable-list');

test('reads a device', () => {
  expect(parsePciAssignableList(capture)).toEqual(['0000:00:1f.3']);
});

test('reads devices with names and in other segments, and those of a xl that puts no space behind them', () => {
  const named = capture.replace('\n', 'my nic\n');
  const elsewhere = capture.replace('0000:00:1f.3', '10000:e1:00.0');
  const withoutSpace = capture.replace(' ', '');
  expect(parsePciAssignableList(named + elsewhere + withoutSpace)).toEqual([
    '0000:00:1f.3',
    '10000:e1:00.0',
    '0000:00:1f.3',
  ]);
});

test('no output is no device', () => {
  expect(parsePciAssignableList('')).toEqual([]);
});

test.each([
  ['\n', 'expected a line "0000:00:00.0", found an empty line'],
  ['Vdev Device\n', 'expected a line "0000:00:00.0", found "Vdev Device"'],
  [capture.replace('.3', '.8'), 'expected a line "0000:00:00.0", found "0000:00:1f.8 "'],
  [capture.replace('.3', '.31'), 'expected a line "0000:00:00.0", found "0000:00:1f.31 "'],
  [capture.slice(0, -1), 'expected lines that all end in a newline, found "0000:00:1f.3 "'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parsePciAssignableList(text))).toBe(`ParseError: ${message}`);
});
