import { expect, test } from 'vitest';
import { hasAllListeners, parseProcNetTcp } from '../../src/formats/proc-net-tcp.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const storm = readText('guests/pv-netlink-storm/proc/net/tcp');
const heading = storm.slice(0, storm.indexOf('\n') + 1);

test('reads the listeners of a guest in the storm, and none of its 2000 connections', () => {
  expect(parseProcNetTcp(storm, 'ipv4')).toEqual([
    { family: 'ipv4', address: '0.0.0.0', port: 8080, queueLength: 9, id: 11083, uid: 0 },
    { family: 'ipv4', address: '0.0.0.0', port: 22, queueLength: 0, id: 11049, uid: 0 },
  ]);
  expect(parseProcNetTcp(readText('guests/pv-netlink-storm/proc/net/tcp6'), 'ipv6')).toEqual([
    { family: 'ipv6', address: '::', port: 22, queueLength: 0, id: 11051, uid: 0 },
  ]);
});

test('reads addresses of every kind', () => {
  expect(parseProcNetTcp(readText('linux-6.18/proc-net-tcp'), 'ipv4')).toEqual([
    { family: 'ipv4', address: '0.0.0.0', port: 8000, queueLength: 3, id: 9052, uid: 0 },
    { family: 'ipv4', address: '127.0.0.2', port: 8002, queueLength: 2, id: 9055, uid: 0 },
    { family: 'ipv4', address: '127.0.0.2', port: 8002, queueLength: 1, id: 9054, uid: 0 },
    { family: 'ipv4', address: '127.0.0.1', port: 8003, queueLength: 0, id: 9056, uid: 0 },
    { family: 'ipv4', address: '127.0.0.1', port: 8001, queueLength: 8, id: 9053, uid: 0 },
  ]);
  expect(parseProcNetTcp(readText('linux-6.18/proc-net-tcp6'), 'ipv6')).toEqual([
    { family: 'ipv6', address: '::', port: 8005, queueLength: 3, id: 9058, uid: 0 },
    { family: 'ipv6', address: '::', port: 8004, queueLength: 0, id: 9057, uid: 0 },
    { family: 'ipv6', address: '::', port: 8006, queueLength: 0, id: 9059, uid: 0 },
    { family: 'ipv6', address: '::', port: 8012, queueLength: 0, id: 9065, uid: 0 },
    { family: 'ipv6', address: '::1', port: 8007, queueLength: 0, id: 9060, uid: 0 },
    { family: 'ipv6', address: '::1', port: 8008, queueLength: 0, id: 9061, uid: 0 },
    { family: 'ipv6', address: 'fe80::1', port: 8011, queueLength: 0, id: 9064, uid: 0 },
    { family: 'ipv6', address: '2001:db8::a:0:0:1', port: 8010, queueLength: 0, id: 9063, uid: 0 },
    { family: 'ipv6', address: '::ffff:127.0.0.1', port: 8009, queueLength: 0, id: 9062, uid: 0 },
  ]);
});

test('a chunk may end anywhere: the line that it cuts is left out', () => {
  const [, first = '', second = '', third = ''] = storm.split('\n');
  const ports = (text: string): number[] => parseProcNetTcp(text, 'ipv4').map(({ port }) => port);
  expect(ports(heading)).toEqual([]);
  expect(ports(`${heading}${first}`)).toEqual([]);
  expect(ports(`${heading}${first}\n${second}`)).toEqual([8080]);
  expect(ports(`${heading}${first}\n${second}\n${third}`)).toEqual([8080, 22]);
});

test('reading may stop once a complete row is no listener', () => {
  const [, first = '', second = '', third = ''] = storm.split('\n');
  expect(hasAllListeners('', false)).toBe(false);
  expect(hasAllListeners(heading, false)).toBe(false);
  expect(hasAllListeners(`${heading}${first}\n${second}\n`, false)).toBe(false);
  expect(hasAllListeners(`${heading}${first}\n${second}\n${third}`, false)).toBe(false);
  expect(hasAllListeners(`${heading}${first}\n${second}\n${third}\n`, false)).toBe(true);
  expect(hasAllListeners(storm, false)).toBe(true);
  expect(hasAllListeners(readText('guests/pv-netlink-storm/proc/net/tcp6'), false)).toBe(false);
});

test.each([
  ['', 'expected a line "sl local_address ...", found an empty file'],
  ['  sl  local_address', 'expected a line "sl local_address ...", found "  sl  local_address"'],
  ['TCP: inuse 4\n', 'expected a line "sl local_address ...", found "TCP: inuse 4\\n"'],
  [`${heading}   0: 00000000:0016\n`, 'expected a row of a socket, found "   0: 00000000:0016"'],
  [
    `${heading}   0: 00000000:0016 00000000:0000 0A 00000000:00000000\n`,
    'expected a row of a listening ipv4 socket, found "   0: 00000000:0016 00000000:0000 0A 00000000:00000000"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseProcNetTcp(text, 'ipv4'))).toBe(`ParseError: ${message}`);
});

test('refuses the rows of the other family', () => {
  expect(thrownBy(() => parseProcNetTcp(storm, 'ipv6'))).toBe(
    'ParseError: expected a row of a listening ipv6 socket, found "   0: 00000000:1F90 00000000:0000 0A 00000000:00000009 00:0…"',
  );
});

test('a broken row costs its listener, and is neither the end of the listeners nor a reason to stop reading', () => {
  const [, first = '', second = '', third = ''] = storm.split('\n');
  const errors: string[] = [];
  const rows = ['   9: 0100007F:0016', first.replace(' 0A ', ' ?? '), '', second.replace(/:[0-9A-F]{4} /, ':- ')];
  const text = `${heading}${[...rows, first].join('\n')}\n`;
  expect(parseProcNetTcp(text, 'ipv4', ({ message }) => errors.push(message)).map(({ port }) => port)).toEqual([8080]);
  expect(errors).toHaveLength(3);
  expect([hasAllListeners(text, false), hasAllListeners(`${text}${third}\n`, false)]).toEqual([false, true]);
});

test('before Linux 4.4 half-open connections stand between the listeners', () => {
  const row = (slot: number, port: string, state: string, rest: string): string =>
    `   ${slot}: 00000000:${port} 00000000:0000 ${state} 00000000:00000002 00:00000000 00000000     0        0 ${rest}`;
  const rows = [
    row(0, '0050', '0A', '1001 1 ffff 100 0 0'),
    row(1, '0050', '03', '0 0 1 ffff'),
    row(2, '0016', '0A', '1002 1 ffff 100 0 0'),
  ];
  const text = `${heading}${rows.join('\n')}\n`;
  expect(parseProcNetTcp(text, 'ipv4').map(({ port }) => port)).toEqual([80, 22]);
  expect([hasAllListeners(text, true), hasAllListeners(text, false)]).toEqual([false, true]);
  expect(hasAllListeners(`${text}${row(3, '0016', '01', '1003 1 ffff 20 4 30 10 -1')}\n`, true)).toBe(true);
});
