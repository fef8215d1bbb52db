import { expect, test } from 'vitest';
import { parseKprobeProfile } from '../../src/formats/kprobe-profile.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

test('hits and misses of the probes of a Dom0 in a storm', () => {
  const probes = parseKprobeProfile(readText('tracefs/dom0.kprobe_profile'));
  expect(probes.size).toBe(20);
  expect(probes.get('gnttab_batch_copy')).toEqual({ hits: 7552, missed: 13 });
  expect(probes.get('accept_ret')).toEqual({ hits: 0, missed: 0 });
});

test('nobody has a probe', () => {
  expect(parseKprobeProfile('')).toEqual(new Map());
});

test.each([
  ['  gnttab_batch_copy  7552\n', '"  gnttab_batch_copy  7552"'],
  ['garbage\n', '"garbage"'],
])('refuses %j', (text, found) => {
  expect(thrownBy(() => parseKprobeProfile(text))).toBe(
    `ParseError: expected a line "  EVENT HITS MISSED", found ${found}`,
  );
});
