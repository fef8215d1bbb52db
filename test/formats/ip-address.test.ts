import { expect, test } from 'vitest';
import { formatIpv4, formatIpv6, ipBytes } from '../../src/formats/ip-address.ts';

const hex = (digits: string): Uint8Array => Buffer.from(digits.replaceAll(' ', ''), 'hex');

test('writes IPv4 addresses, at any place in the bytes', () => {
  expect(formatIpv4(hex('0a000265'))).toBe('10.0.2.101');
  expect(ipBytes('10.0.2.101')).toEqual([10, 0, 2, 101]);
  expect(formatIpv4(hex('ffff 00000000 ff'), 2)).toBe('0.0.0.0');
});

// RFC 5952, section 4, and forms that sockets use.
test.each([
  ['0000 0000 0000 0000 0000 0000 0000 0000', '::'],
  ['0000 0000 0000 0000 0000 0000 0000 0001', '::1'],
  ['2001 0db8 0000 0000 0000 0000 0000 0000', '2001:db8::'],
  ['2001 0db8 0000 0000 0000 0000 0002 0001', '2001:db8::2:1'],
  ['2001 0db8 0000 0001 0001 0001 0001 0001', '2001:db8:0:1:1:1:1:1'],
  ['2001 0000 0000 0001 0000 0000 0000 0001', '2001:0:0:1::1'],
  ['2001 0db8 0000 0000 0001 0000 0000 0001', '2001:db8::1:0:0:1'],
  ['0000 0001 0002 0003 0004 0005 0006 0000', '0:1:2:3:4:5:6:0'],
  ['0000 0000 0002 0003 0004 0005 0006 0007', '::2:3:4:5:6:7'],
  ['fe80 0000 0000 0000 0216 3eff fe00 0101', 'fe80::216:3eff:fe00:101'],
  ['0000 0000 0000 0000 0000 ffff 7f00 0001', '::ffff:127.0.0.1'],
  ['0000 0000 0000 0000 ffff 7f00 0001 0000', '::ffff:7f00:1:0'],
  ['ffff ffff ffff ffff ffff ffff ffff ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
])('writes %s as %s', (bytes, text) => {
  expect(formatIpv6(hex(bytes))).toBe(text);
  expect(formatIpv6(hex(`abcd ${bytes} abcd`), 2)).toBe(text);
  expect(Buffer.from(ipBytes(text))).toEqual(hex(bytes));
});
