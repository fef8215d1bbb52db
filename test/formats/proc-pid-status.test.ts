import { expect, test } from 'vitest';
import { parseRealUid } from '../../src/formats/proc-pid-status.ts';
import { readText } from '../../tools/lib/fixture.ts';

test('the user of a process that is called as another user', () => {
  expect(parseRealUid(readText('linux-6.18/proc-pid-status'))).toBe(1001);
});

test.each([
  ['', 'an empty file'],
  ['Name:\ta\nUmask:\t0022\n', '"Name:\\ta\\nUmask:\\t0022\\n"'],
])('no status: %j', (text, found) => {
  expect(() => parseRealUid(text)).toThrow(`expected a line "Uid: ...", found ${found}`);
});
