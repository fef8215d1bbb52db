import { expect, test } from 'vitest';
import { parseGnttabQuerySize } from '../../src/formats/xen-diag.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const capture = readText('xl/credit-netlink-storm.xen-diag-gnttab-query-size-1');

test('reads the sizes of Domain-0 and of a guest', () => {
  expect(parseGnttabQuerySize(readText('xl/credit-netlink-storm.xen-diag-gnttab-query-size-0'))).toEqual({
    domid: 0,
    frames: 1,
    maxFrames: 64,
  });
  expect(parseGnttabQuerySize(capture)).toEqual({ domid: 1, frames: 3, maxFrames: 64 });
});

test.each([
  ['', 'expected a line "domid=N: nr_frames=N, max_nr_frames=N", found no output'],
  [
    readText('xl/credit-netlink-storm.xen-diag-gnttab-query-size-99'),
    'expected a line "domid=N: nr_frames=N, max_nr_frames=N", found "xc: error: Could not query dom 99\'s grant size: Internal er…"',
  ],
  [
    capture.slice(0, -1),
    'expected a line "domid=N: nr_frames=N, max_nr_frames=N", found "domid=1: nr_frames=3, max_nr_frames=64"',
  ],
  [
    capture + capture,
    'expected a line "domid=N: nr_frames=N, max_nr_frames=N", found "domid=1: nr_frames=3, max_nr_frames=64\\ndomid=1: nr_frames=3…"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseGnttabQuerySize(text))).toBe(`ParseError: ${message}`);
});
