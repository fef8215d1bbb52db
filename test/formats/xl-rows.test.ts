import { expect, test } from 'vitest';
import { domainName, xlRows } from '../../src/formats/xl-rows.ts';

const rows = (...lines: string[]): Record<string, string>[] =>
  xlRows(lines, /^(?<name>.*) {1,3}(?<domid>\d{1,5})$/s, ['domid']);

test('what stands before the other columns is the name, whatever it is', () => {
  expect(rows('Domain-0     0', 'a 1  2     7', '{"b"} é\u2028\r.  8')).toEqual([
    { name: 'Domain-0', domid: '0' },
    { name: 'a 1  2', domid: '7' },
    { name: '{"b"} é\u2028\r.', domid: '8' },
  ]);
});

test('leaves out names with a newline', () => {
  expect(rows('Domain-0  0', 'two', 'lines     1', 'c  2')).toEqual([
    { name: 'Domain-0', domid: '0' },
    { name: 'c', domid: '2' },
  ]);
  expect(rows('Domain-0  0', '', 'begins with one  1', 'c  2')).toEqual(rows('Domain-0  0', 'c  2'));
  expect(rows('Domain-0  0', 'ends in one', '           1', 'c  2')).toEqual(rows('Domain-0  0', 'c  2'));
});

test('an empty name costs no other domain its row', () => {
  expect(rows('Domain-0  0', 'victim  1', '        2', '   3', 'c  4')).toEqual([
    { name: 'Domain-0', domid: '0' },
    { name: 'victim', domid: '1' },
    { name: '', domid: '2' },
    { name: '', domid: '3' },
    { name: 'c', domid: '4' },
  ]);
});

test('reports every line that it leaves out, but not blank ones at the end', () => {
  const errors: string[] = [];
  const lines = ['Domain-0  0', 'looks like  3', '           1', 'two', 'lines     4', 'c  2', '', '  '];
  xlRows(lines, /^(?<name>.*) {1,3}(?<domid>\d{1,5})$/s, ['domid'], ({ message }) => errors.push(message));
  expect(errors.map((message) => / found "(.*)"$/.exec(message)![1]!.trim())).toEqual(['two', 'lines     4']);
});

test('a name cannot speak for another domain that comes before it', () => {
  expect(rows('Domain-0  0', 'evil  0', 'one  1')).toEqual(rows('Domain-0  0', 'one  1'));
  expect(rows('Domain-0  0', 'evil  0', '      1')).toEqual(rows('Domain-0  0', '      1'));
});

test('(null) is no name', () => {
  expect(rows('(null)  3', '(null) 4  5').map(domainName)).toEqual([undefined, '(null) 4']);
});
