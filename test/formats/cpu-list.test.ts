import { expect, test } from 'vitest';
import { parseCpuList } from '../../src/formats/cpu-list.ts';
import { thrownBy } from './thrown-by.ts';

test.each([
  ['0\n', [0]],
  ['0-3\n', [0, 1, 2, 3]],
  ['0,2-3,12\n', [0, 2, 3, 12]],
])('reads %j', (text, cpus) => {
  expect(parseCpuList(text)).toEqual(cpus);
});

test.each(['', '\n', '3-1\n', '0-\n', '0-99999\n', 'all\n'])('refuses %j', (text) => {
  expect(thrownBy(() => parseCpuList(text))).toMatch(/^ParseError: expected a list of CPUs /);
});
