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

test.each([
  ['', 'expected a line of hex numbers per CPU, found an empty file'],
  ['\n', 'expected at least 9 numbers of eight hex digits, found an empty line'],
  ['00000001 00000002\n', 'expected at least 9 numbers of eight hex digits, found "00000001 00000002"'],
  ['1 2 3 4 5 6 7 8 9 10 11\n', 'expected at least 9 numbers of eight hex digits, found "1 2 3 4 5 6 7 8 9 10 11"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseSoftnetStat(text))).toBe(`ParseError: ${message}`);
});
