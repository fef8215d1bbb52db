import { expect, test } from 'vitest';
import { cpuModes, parseProcStat } from '../../src/formats/proc-stat.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

test('reads the vCPUs of a PV guest whose host has not enough CPU for it', () => {
  expect(parseProcStat(readText('guests/pv-storm/proc/stat'))).toEqual([
    {
      cpu: '0',
      ticks: { user: 5860, nice: 0, system: 4327, idle: 41759, iowait: 139, irq: 0, softirq: 509, steal: 12604 },
    },
    {
      cpu: '1',
      ticks: { user: 6005, nice: 0, system: 4442, idle: 41718, iowait: 82, irq: 0, softirq: 178, steal: 13307 },
    },
  ]);
});

test('reads an HVM guest of one vCPU', () => {
  expect(parseProcStat(readText('guests/hvm-idle/proc/stat'))).toEqual([
    { cpu: '0', ticks: { user: 259, nice: 0, system: 448, idle: 9636, iowait: 38, irq: 0, softirq: 172, steal: 4901 } },
  ]);
});

test('has the modes in the order of the columns', () => {
  const [row] = parseProcStat('cpu  0 0 0 0 0 0 0 0 0 0\ncpu3 1 2 3 4 5 6 7 8 9 10\n');
  expect(cpuModes.map((mode) => row?.ticks[mode])).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('takes columns that an old kernel has not for 0', () => {
  expect(parseProcStat('cpu  1 2 3 4\ncpu0 1 2 3 4\nintr 5\n')).toEqual([
    { cpu: '0', ticks: { user: 1, nice: 2, system: 3, idle: 4, iowait: 0, irq: 0, softirq: 0, steal: 0 } },
  ]);
});

test('a broken row costs its CPU, a broken number only its mode; blank rows are none', () => {
  const errors: string[] = [];
  const text = 'cpu  1 1 1 1\ncpu0 1 2\n\ncpu1 1 - 3 4 5 6 7 8\n';
  expect(parseProcStat(text, ({ message }) => errors.push(message))).toEqual([
    { cpu: '1', ticks: { user: 1, nice: undefined, system: 3, idle: 4, iowait: 5, irq: 6, softirq: 7, steal: 8 } },
  ]);
  expect(errors).toEqual([
    'expected a line "cpuN ...", found "cpu0 1 2"',
    'expected a number for cpu1 nice, found "-"',
  ]);
});

test.each([
  ['cpu0 1 2 3 4 5', 'expected a line end at the end of the file, found "cpu0 1 2 3 4 5"'],
  ['', 'expected a line "cpuN ...", found an empty file'],
  ['cpu  1 2 3 4 5 6 7 8\nintr 1\n', 'expected a line "cpuN ...", found "cpu  1 2 3 4 5 6 7 8\\nintr 1\\n"'],
  ['cpu0 1 2 3\n', 'expected a line "cpuN ...", found "cpu0 1 2 3"'],
  ['cpu0 1 2 3 4 5x\n', 'expected a number for cpu0 iowait, found "5x"'],
  ['cpufreq 1 2 3 4\n', 'expected a line "cpuN ...", found "cpufreq 1 2 3 4"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseProcStat(text))).toBe(`ParseError: ${message}`);
});
