import { expect, test } from 'vitest';
import { parseXlInfo } from '../../src/formats/xl-info.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const mebibyte = 1024 ** 2;

const host = {
  cpus: 4,
  nodes: 1,
  coresPerSocket: 4,
  threadsPerCore: 1,
  cpuMhz: 2445.434,
  memoryBytes: 5119 * mebibyte,
  freeMemoryBytes: 1478 * mebibyte,
  freeCpus: 0,
  xenVersion: '4.17.7',
  virtCaps: ['pv', 'hvm', 'hap', 'gnttab-v1', 'gnttab-v2'],
  machine: 'x86_64',
};

const capture = readText('xl/credit-storm.xl-info');

test('reads hosts with credit, credit2 and RTDS', () => {
  expect(parseXlInfo(capture)).toEqual({ ...host, scheduler: 'credit' });
  expect(parseXlInfo(readText('xl/credit2-storm.xl-info'))).toEqual({ ...host, scheduler: 'credit2' });
  expect(parseXlInfo(readText('xl/rtds-storm.xl-info'))).toEqual({
    ...host,
    cpuMhz: 2445.433,
    xenVersion: '4.17.5',
    scheduler: 'rtds',
    virtCaps: ['pv', 'hvm', 'hap', 'shadow', 'gnttab-v1', 'gnttab-v2'],
  });
});

test('is not confused by the tables of -n', () => {
  expect(parseXlInfo(readText('xl/credit-idle.xl-info-n'))).toEqual({ ...host, scheduler: 'credit' });
});

const without = (...keys: string[]): string =>
  capture
    .split('\n')
    .filter((line) => !keys.some((key) => line.startsWith(`${key} `)))
    .join('\n');

const withValue = (key: string, value: string): string => capture.replace(new RegExp(`(${key} +:).*`), `$1${value}`);

test('can do without what is not essential', () => {
  const optional = ['nr_nodes', 'cores_per_socket', 'threads_per_core', 'cpu_mhz', 'free_cpus', 'virt_caps', 'machine'];
  expect(parseXlInfo(without(...optional))).toEqual({
    cpus: 4,
    nodes: undefined,
    coresPerSocket: undefined,
    threadsPerCore: undefined,
    cpuMhz: undefined,
    memoryBytes: 5119 * mebibyte,
    freeMemoryBytes: 1478 * mebibyte,
    freeCpus: undefined,
    xenVersion: '4.17.7',
    scheduler: 'credit',
    virtCaps: undefined,
    machine: undefined,
  });
});

test('a processor may be able to virtualise nothing, which leaves not even a space', () => {
  expect(parseXlInfo(withValue('virt_caps', ''))).toEqual({
    ...host,
    scheduler: 'credit',
    virtCaps: [],
  });
});

test.each([
  ['no output', '', 'expected lines that all end in a newline, found no output'],
  ['an empty line', '\n', 'expected a line "nr_cpus : ...", found none'],
  ['half a line at the end', capture.slice(0, 700), 'expected lines that all end in a newline, found "xen"'],
  [
    'a last line without newline',
    capture.slice(0, -1),
    'expected lines that all end in a newline, found "xend_config_format     : 4"',
  ],
  ['no CPUs', without('nr_cpus'), 'expected a line "nr_cpus : ...", found none'],
  ['no memory', without('total_memory'), 'expected a line "total_memory : ...", found none'],
  ['no free memory', without('free_memory'), 'expected a line "free_memory : ...", found none'],
  ['no version', without('xen_version', 'xen_major'), 'expected a line "xen_version : ...", found none'],
  ['no scheduler', without('xen_scheduler'), 'expected a line "xen_scheduler : ...", found none'],
  ['an empty scheduler', withValue('xen_scheduler', ' '), 'expected a line "xen_scheduler : ...", found none'],
  ['a negative number', withValue('nr_cpus', ' -1'), 'expected a number for nr_cpus, found "-1"'],
  ['another frequency', withValue('cpu_mhz', ' 2445 MHz'), 'expected a number for cpu_mhz, found "2445 MHz"'],
  ['an empty number', withValue('free_cpus', ''), 'expected a line "free_cpus : ...", found none'],
])('refuses %s', (_what, text, message) => {
  expect(thrownBy(() => parseXlInfo(text))).toBe(`ParseError: ${message}`);
});

test('Xen 4.2 prints whole MHz, and its version in parts', () => {
  const old = without('xen_version', 'outstanding_claims').replace(/^(cpu_mhz +:).*$/m, '$1 2445');
  expect(parseXlInfo(old)).toEqual({ ...host, cpuMhz: 2445, scheduler: 'credit' });
});

test('what is missing or broken costs itself alone', () => {
  const errors: string[] = [];
  const text = without('total_memory', 'xen_scheduler').replace(/^(nr_cpus +:).*$/m, '$1 -');
  expect(parseXlInfo(text, ({ message }) => errors.push(message))).toEqual({
    ...host,
    cpus: undefined,
    memoryBytes: undefined,
    scheduler: undefined,
  });
  expect(errors).toEqual([
    'expected a number for nr_cpus, found "-"',
    'expected a line "total_memory : ...", found none',
    'expected a line "xen_scheduler : ...", found none',
  ]);
});

test('free memory is unknown while more is claimed than is free: xl then prints a number near 2^64 pages', () => {
  expect(parseXlInfo(withValue('free_memory', ' 72057594037927900')).freeMemoryBytes).toBeUndefined();
});
