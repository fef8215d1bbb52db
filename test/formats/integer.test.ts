import { expect, test } from 'vitest';
import { parseCounter, parseCounterFile, parseInteger } from '../../src/formats/integer.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

test('reads files of one number', () => {
  const guest = (path: string): number => parseInteger(readText(`guests/pv-storm/${path}`));
  expect({
    somaxconn: guest('proc/sys/net/core/somaxconn'),
    maxSynBacklog: guest('proc/sys/net/ipv4/tcp_max_syn_backlog'),
    ifindex: guest('sys/class/net/eth0/ifindex'),
    rxBytes: guest('sys/class/net/eth0/statistics/rx_bytes'),
    limitMax: guest('sys/class/net/eth0/queues/tx-0/byte_queue_limits/limit_max'),
  }).toEqual({ somaxconn: 4096, maxSynBacklog: 128, ifindex: 2, rxBytes: 1384718, limitMax: 1879048192 });
});

test('reads a negative number: an atomic_t of xenbus beyond 2^31', () => {
  expect(parseInteger('-2147483648\n')).toBe(-2147483648);
});

test.each([
  ['', 'expected an integer, found an empty file'],
  ['\n', 'expected an integer, found "\\n"'],
  ['5304\t7075\t10608\n', 'expected an integer, found "5304\\t7075\\t10608\\n"'],
  ['0x1003\n', 'expected an integer, found "0x1003\\n"'],
  ['1e3\n', 'expected an integer, found "1e3\\n"'],
  ['9007199254740993\n', 'expected an integer, found "9007199254740993\\n"'],
  ['<denied>', 'expected an integer, found "<denied>"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseInteger(text))).toBe(`ParseError: ${message}`);
});

test.each([
  ['4096\n', 4096],
  ['18446744073709551606\n', 2 ** 64],
  ['-10\n', -10],
])('reads the counter %j, whether or not it is plausible', (text, value) => {
  expect(parseCounterFile(text)).toBe(value);
});

test.each(['', '0x10\n', '1 2\n', '100000000000000000000\n' + '0', '<denied>'])('refuses %j as a counter', (text) => {
  expect(thrownBy(() => parseCounterFile(text))).toMatch(/^ParseError: expected an integer, found /);
});

test('rounds counters beyond 2^53', () => {
  expect(parseCounter('18446744073709551615', 'InOctets')).toBe(2 ** 64);
});

test.each([
  ['', 'expected a number for InOctets, found nothing'],
  ['-1', 'expected a number for InOctets, found "-1"'],
  ['100000000000000000000', 'expected a number for InOctets, found "100000000000000000000"'],
])('refuses the counter %j', (text, message) => {
  expect(thrownBy(() => parseCounter(text, 'InOctets'))).toBe(`ParseError: ${message}`);
});
