import { expect, test } from 'vitest';
import { parseSoftnetStat } from '../../src/formats/proc-net-softnet-stat.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

test('reads the vCPUs of a guest: all packets come in on the first', () => {
  expect(parseSoftnetStat(readText('guests/pv-storm/proc/net/softnet_stat'))).toEqual([
    { cpu: 0, processed: 11393, dropped: 0, timeSqueezed: 134, backlog: 0 },
    { cpu: 1, processed: 3, dropped: 0, timeSqueezed: 1, backlog: 0 },
  ]);
});

test('reads the fifteen columns of newer kernels; the thirteenth is the number of the CPU', () => {
  expect(
    parseSoftnetStat(
      'ffffffff 00000002 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000007 0000000a 00000004 00000003\n',
    ),
  ).toEqual([{ cpu: 10, processed: 4294967295, dropped: 2, timeSqueezed: 3, backlog: 7 }]);
});

test('before Linux 5.10 rows have no number and no backlog', () => {
  const row = '00000001 00000002 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n';
  expect(parseSoftnetStat(row + row)).toEqual([
    { processed: 1, dropped: 2, timeSqueezed: 3 },
    { processed: 1, dropped: 2, timeSqueezed: 3 },
  ]);
});

test('a broken row keeps its place, which tells the CPU before Linux 5.10; a broken number costs only itself', () => {
  const row = (first: string): string => `${first}${' 00000002'.repeat(10)}`;
  const errors: string[] = [];
  const text = `${row('0000000g')}\n1 2 3\n\n${row('00000007')}\n`;
  expect(parseSoftnetStat(text, ({ message }) => errors.push(message))).toEqual([
    { processed: undefined, dropped: 2, timeSqueezed: 2 },
    undefined,
    { processed: 7, dropped: 2, timeSqueezed: 2 },
  ]);
  expect(errors).toHaveLength(2);
});

test('a row whose number of the CPU is broken is none', () => {
  const cells = Array<string>(15).fill('00000001');
  const text = `${cells.with(12, '-').join(' ')}\n${cells.join(' ')}\n`;
  expect(parseSoftnetStat(text, () => {})).toEqual([
    undefined,
    { cpu: 1, processed: 1, dropped: 1, timeSqueezed: 1, backlog: 1 },
  ]);
});

test.each([
  ['00000001 0000', 'expected a line end at the end of the file, found "00000001 0000"'],
  ['', 'expected a line of hex numbers per CPU, found an empty file'],
  ['\n', 'expected a line of hex numbers per CPU, found "\\n"'],
  ['00000001 00000002\n', 'expected at least 9 numbers of eight hex digits, found "00000001 00000002"'],
  ['1 2 3 4 5 6 7 8 9 10 11\n', 'expected at least 9 numbers of eight hex digits, found "1 2 3 4 5 6 7 8 9 10 11"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseSoftnetStat(text))).toBe(`ParseError: ${message}`);
});
