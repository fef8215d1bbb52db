import { expect, test } from 'vitest';
import { isMatchers } from '../../src/config/matchers.ts';

test.each([
  'xen_role="host"',
  'role=~"dom0|driver-domain", site!="lab"',
  ' a = "b" ',
  String.raw`a="with \" quote"`,
  String.raw`a=~"\\d+"`,
  'a!~"b.*"',
])('%s', (text) => {
  expect(isMatchers(text)).toBe(true);
});

test.each([
  '',
  'host',
  'a=host',
  "a='host'",
  'a="host',
  'a="b",',
  'a="b" c="d"',
  'a="b"} or up{a="c"',
  'a=~"("',
  'a=~"(?!b)"',
  '1a="b"',
  'a=="b"',
  'a="b\nc"',
])('%j is refused', (text) => {
  expect(isMatchers(text)).toBe(false);
});
