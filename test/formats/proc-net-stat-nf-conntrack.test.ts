import { expect, test } from 'vitest';
import { parseConntrackStat } from '../../src/formats/proc-net-stat-nf-conntrack.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const capture = readText('xl/proc-net-stat-nf_conntrack');
const [heading = '', ...rows] = capture.split('\n');
const zero = { drops: 0, earlyDrops: 0, insertFailed: 0 };

test('reads a machine that has tracked nothing', () => {
  expect(parseConntrackStat(capture)).toEqual([zero, zero]);
});

/** The capture with a counter of the first CPU set. Numbers are in the order of the names. */
const withCounter = (text: string, name: string, hex: string): string => {
  const [names = '', first = '', ...others] = text.split('\n');
  const index = names.split(/ +/).indexOf(name);
  let column = -1;
  const changed = first.replace(/[0-9a-f]{8}/g, (cell) => (++column === index ? hex : cell));
  return [names, changed, ...others].join('\n');
};

test('finds each counter by its name', () => {
  const values = [
    ['drop', '0000000a'],
    ['early_drop', '00000010'],
    ['insert_failed', 'ffffffff'],
    ['insert', '00000001'],
  ] as const;
  const changed = values.reduce((text, [name, hex]) => withCounter(text, name, hex), capture);
  const first = { drops: 10, earlyDrops: 16, insertFailed: 4294967295 };
  expect(parseConntrackStat(changed)).toEqual([first, zero]);
  // Other kernels have other columns. Here the second is missing.
  const narrower = changed.replace(/^(\w+ +)\w+ +/gm, '$1');
  expect(parseConntrackStat(narrower)).toEqual([first, zero]);
});

test('a row that is broken keeps its place: it is one of a CPU', () => {
  const errors: string[] = [];
  const text = [heading, rows[0]!.replace('00000000', '-'), '', rows[1], ''].join('\n');
  expect(parseConntrackStat(text, ({ message }) => errors.push(message))).toEqual([undefined, zero]);
  expect(errors).toHaveLength(1);
});

test.each([
  ['', 'expected a column drop, found nothing'],
  ['\n', 'expected a column drop, found nothing'],
  [capture.replace(' early_drop', ' late_drop'), `expected a column early_drop, found "${heading.slice(0, 59)}…"`],
  [capture.replace(' insert_failed', ' insert'), `expected a column insert_failed, found "${heading.slice(0, 59)}…"`],
  [`${heading}\n`, 'expected a line of hex numbers per CPU, found nothing'],
  [`${heading}\n\n`, 'expected a line of hex numbers per CPU, found nothing'],
  [capture.replace(/ 00000000\n$/, '\n'), `expected 17 numbers of eight hex digits, found "${rows[1]!.slice(0, 59)}…"`],
  [capture.replace(/0\n$/, 'g\n'), `expected 17 numbers of eight hex digits, found "${rows[1]!.slice(0, 59)}…"`],
  [capture.slice(0, -1), `expected a line end at the end of the file, found "${rows[1]!.slice(0, 59)}…"`],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseConntrackStat(text))).toBe(`ParseError: ${message}`);
});
