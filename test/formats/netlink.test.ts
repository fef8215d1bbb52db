import { expect, test } from 'vitest';
import { NetlinkError, parseDump } from '../../src/formats/netlink.ts';
import { readBytes } from '../../tools/lib/fixture.ts';
import { dump, message, words } from './netlink-message.ts';
import { thrownBy } from './thrown-by.ts';

const listeners = readBytes('guests/pv-netlink-storm/netlink/inet-diag-listen-v4.bin');

test('finds the messages of a dump', () => {
  expect(parseDump(listeners)).toEqual({
    messages: [
      { type: 20, start: 16, end: 164 },
      { type: 20, start: 180, end: 328 },
    ],
    interrupted: false,
  });
});

test('a dump may be empty', () => {
  expect(parseDump(readBytes('dom0-netlink-storm/inet-diag-syn-recv-v4.bin'))).toEqual({
    messages: [],
    interrupted: false,
  });
});

test('reads bytes that begin in the middle of a buffer', () => {
  const shared = new Uint8Array(listeners.length + 7);
  shared.set(listeners, 7);
  expect(parseDump(shared.subarray(7))).toEqual(parseDump(listeners));
});

test('says that the table changed meanwhile', () => {
  const changed = Uint8Array.from(listeners);
  changed[6]! |= 0x10;
  expect(parseDump(changed).interrupted).toBe(true);
});

test('skips NLMSG_NOOP and an NLMSG_ERROR that says all is well', () => {
  expect(parseDump(dump(message(1, []), message(2, [words(0, 0, 0, 0, 0)]), message(20, [words(1)])))).toEqual({
    messages: [{ type: 20, start: 68, end: 72 }],
    interrupted: false,
  });
});

test.each([
  ['NLMSG_ERROR', 2, -1, 'the kernel answered EPERM'],
  ['NLMSG_ERROR', 2, -2, 'the kernel answered ENOENT'],
  ['NLMSG_DONE', 3, -105, 'the kernel answered ENOBUFS'],
  ['NLMSG_ERROR', 2, -524, 'the kernel answered Unknown system error -524'],
])('throws the error in %s (%i, %i)', (_name, type, result, text) => {
  expect(thrownBy(() => parseDump(message(type, [words(result)])))).toBe(`NetlinkError: ${text}`);
});

test('a NetlinkError has its errno', () => {
  expect(new NetlinkError(1).errno).toBe(1);
});

test.each([
  ['no bytes', new Uint8Array(), 'expected a dump that ends with NLMSG_DONE, found 0 bytes without it'],
  ['no end', listeners.subarray(0, 328), 'expected a dump that ends with NLMSG_DONE, found 328 bytes without it'],
  ['half a header', listeners.subarray(0, 10), 'expected a dump that ends with NLMSG_DONE, found 10 bytes without it'],
  ['half a message', listeners.subarray(0, 100), 'expected a message of 16 to 100 bytes, found a length of 164'],
  ['a length of 0', message(20, [], 2, 0), 'expected a message of 16 to 16 bytes, found a length of 0'],
  ['a length of 2^32-1', message(20, [], 2, -1), 'expected a message of 16 to 16 bytes, found a length of 4294967295'],
  ['more behind the end', Buffer.concat([dump(), dump()]), 'expected nothing behind NLMSG_DONE, found 20 bytes'],
  ['an end without error number', message(3, []), 'expected an error number, found 0 bytes'],
])('refuses %s', (_name, bytes, text) => {
  expect(thrownBy(() => parseDump(bytes))).toBe(`ParseError: ${text}`);
});
