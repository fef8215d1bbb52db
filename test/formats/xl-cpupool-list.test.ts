import { describe, expect, test } from 'vitest';
import { parseXlCpupoolList } from '../../src/formats/xl-cpupool-list.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

test('reads the cpupool that every host has', () => {
  expect(parseXlCpupoolList(readText('xl/credit-storm.xl-cpupool-list'))).toEqual([
    { name: 'Pool-0', cpus: 4, scheduler: 'credit', domains: 4 },
  ]);
  expect(parseXlCpupoolList(readText('xl/rtds-storm.xl-cpupool-list'))).toEqual([
    { name: 'Pool-0', cpus: 4, scheduler: 'rtds', domains: 4 },
  ]);
});

const capture = readText('xl/credit-two-pools.xl-cpupool-list');
const pool0 = { name: 'Pool-0', cpus: 3, scheduler: 'credit', domains: 3 };
const pool1 = { name: 'pool1', cpus: 1, scheduler: 'credit2', domains: 1 };

test('reads two cpupools with a scheduler each', () => {
  expect(parseXlCpupoolList(capture)).toEqual([pool0, pool1]);
});

describe('pool1 changed as xl would print it', () => {
  /** "%-19s%3d": padded by bytes, and no space between the two. */
  const changed = (name: string, cpus = 1): string => {
    const padding = ' '.repeat(Math.max(0, 19 - Buffer.byteLength(name)));
    return capture.replace(/pool1 {14} {2}1/, `${name}${padding}${String(cpus).padStart(3)}`);
  };

  test.each([
    ['fast pool (new)', 1],
    ['pool1  4    credit', 12],
    ['a-name-of-twenty-two-c', 7],
    ['a-name-of-twenty-two-c', 128],
    ['a name that ends in 1', 128],
    ['ends in 1', 8],
    ['pöl-ダ-more-than-19-bytes', 16],
    ['pool1', 1024],
    ['no-cpus', 0],
  ])('%j with %d CPUs', (name, cpus) => {
    expect(parseXlCpupoolList(changed(name, cpus))).toEqual([pool0, { ...pool1, name, cpus }]);
  });

  test('with a newline in its name it is left out', () => {
    expect(parseXlCpupoolList(changed('two\nlines'))).toEqual([pool0]);
  });

  test('with the scheduler that has the longest name', () => {
    expect(parseXlCpupoolList(capture.replace(' credit2', 'arinc653'))).toEqual([
      pool0,
      { ...pool1, scheduler: 'arinc653' },
    ]);
  });
});

const heading = capture.split('\n')[0]!;

test.each([
  ['', 'expected lines that all end in a newline, found no output'],
  [
    readText('xl/credit-netlink-storm.xl-cpupool-list-c'),
    'expected a line "Name CPUs Sched ...", found "Name               CPU list"',
  ],
  [`${heading}\n`, 'expected a row "Name CPUs Sched Active Domains", found nothing'],
  [`${heading}\nPool-0 4\n`, 'expected a row "Name CPUs Sched Active Domains", found "Pool-0 4"'],
  [
    capture.slice(0, -1),
    'expected lines that all end in a newline, found "pool1                1   credit2       y          1"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseXlCpupoolList(text))).toBe(`ParseError: ${message}`);
});
