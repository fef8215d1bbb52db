import { expect, test } from 'vitest';
import { parseSs } from '../../src/formats/ss.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const everyKind = [
  {
    family: 'ipv4',
    address: '0.0.0.0',
    port: 8000,
    queueLength: 3,
    queueLimit: 3,
    drops: 0,
    inode: 9052,
    cookie: 4097,
  },
  {
    family: 'ipv4',
    address: '127.0.0.2',
    port: 8002,
    queueLength: 2,
    queueLimit: 7,
    drops: 0,
    inode: 9055,
    cookie: 4098,
  },
  {
    family: 'ipv4',
    address: '127.0.0.2',
    port: 8002,
    queueLength: 1,
    queueLimit: 0,
    drops: 1,
    inode: 9054,
    cookie: 4099,
  },
  {
    family: 'ipv4',
    address: '127.0.0.1',
    port: 8003,
    queueLength: 0,
    queueLimit: 16,
    drops: 2,
    inode: 9056,
    cookie: 4100,
  },
  {
    family: 'ipv4',
    address: '127.0.0.1',
    port: 8001,
    queueLength: 8,
    queueLimit: 100,
    drops: 0,
    inode: 9053,
    cookie: 4101,
  },
  { family: 'ipv6', address: '::', port: 8005, queueLength: 3, queueLimit: 3, drops: 0, inode: 9058, cookie: 4102 },
  { family: 'ipv6', address: '::', port: 8004, queueLength: 0, queueLimit: 3, drops: 0, inode: 9057, cookie: 4103 },
  { family: 'ipv6', address: '::', port: 8006, queueLength: 0, queueLimit: 3, drops: 0, inode: 9059, cookie: 4104 },
  { family: 'ipv6', address: '::', port: 8012, queueLength: 0, queueLimit: 16, drops: 5, inode: 9065, cookie: 4105 },
  { family: 'ipv6', address: '::1', port: 8007, queueLength: 0, queueLimit: 3, drops: 0, inode: 9060, cookie: 4106 },
  { family: 'ipv6', address: '::1', port: 8008, queueLength: 0, queueLimit: 3, drops: 0, inode: 9061, cookie: 4107 },
  {
    family: 'ipv6',
    address: 'fe80::1',
    port: 8011,
    queueLength: 0,
    queueLimit: 3,
    drops: 0,
    inode: 9064,
    cookie: 4108,
  },
  {
    family: 'ipv6',
    address: '2001:db8::a:0:0:1',
    port: 8010,
    queueLength: 0,
    queueLimit: 3,
    drops: 0,
    inode: 9063,
    cookie: 4109,
  },
  {
    family: 'ipv6',
    address: '::ffff:127.0.0.1',
    port: 8009,
    queueLength: 0,
    queueLimit: 3,
    drops: 0,
    inode: 9062,
    cookie: 4110,
  },
];

test('reads listeners on addresses and devices of every kind', () => {
  expect(parseSs(readText('linux-6.18/ss-Hltnem'))).toEqual(everyKind);
});

test('reads them with each listener on one line (-O)', () => {
  expect(parseSs(readText('linux-6.18/ss-HltnemO'))).toEqual(everyKind);
});

test('reads them without -e and -m', () => {
  expect(parseSs(readText('linux-6.18/ss-Hltn'))).toEqual(
    everyKind.map(({ family, address, port, queueLength, queueLimit }) => ({
      family,
      address,
      port,
      queueLength,
      queueLimit,
    })),
  );
});

test('reads a guest in the storm, -e and -m each alone', () => {
  const socket = (family: string, address: string, port: number, queueLength: number, queueLimit: number): object => ({
    family,
    address,
    port,
    queueLength,
    queueLimit,
  });
  const web = socket('ipv4', '0.0.0.0', 8080, 9, 8);
  const ssh = socket('ipv4', '0.0.0.0', 22, 0, 128);
  const ssh6 = socket('ipv6', '::', 22, 0, 128);
  expect(parseSs(readText('guests/pv-netlink-storm/netlink/ss-Hltne'))).toEqual([
    { ...web, inode: 11083, cookie: 1 },
    { ...ssh, inode: 11049, cookie: 2 },
    { ...ssh6, inode: 11051, cookie: 3 },
  ]);
  expect(parseSs(readText('guests/pv-netlink-storm/netlink/ss-Hltnm'))).toEqual([
    { ...web, drops: 12407 },
    { ...ssh, drops: 0 },
    { ...ssh6, drops: 0 },
  ]);
});

test('is not fooled by the name of a cgroup', () => {
  const line = 'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* uid:33 ino:7 sk:8 cgroup:/x ino:1 sk:2 skmem:(r0,d9) <->';
  expect(parseSs(`${line}\n\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d3)\n`)).toEqual([
    { family: 'ipv4', address: '0.0.0.0', port: 22, queueLength: 0, queueLimit: 128, drops: 3, inode: 7, cookie: 8 },
  ]);
});

test('no output is no listener', () => {
  expect(parseSs('')).toEqual([]);
});

test.each([
  ['Netid State\n', 'expected a line "LISTEN Recv-Q Send-Q Local Peer", found "Netid State"'],
  ['LISTEN 0 128 0.0.0.0:22\n', 'expected a line "LISTEN Recv-Q Send-Q Local Peer", found "LISTEN 0 128 0.0.0.0:22"'],
  ['LISTEN 0 128 0.0.0.0:ssh *:*\n', 'expected a local address and port, found "0.0.0.0:ssh"'],
  ['LISTEN 0 128 0.0.0.0:65536 *:*\n', 'expected a local address and port, found "0.0.0.0:65536"'],
  ['LISTEN 0 128 localhost:22 *:*\n', 'expected a local address and port, found "localhost:22"'],
  ['LISTEN x 128 0.0.0.0:22 *:*\n', 'expected a number for Recv-Q, found "x"'],
  ['LISTEN 0 128 0.0.0.0:22 *:* ino:x\n', 'expected a number for ino, found "x"'],
  ['LISTEN 0 128 0.0.0.0:22 *:* sk:x\n', 'expected a hex number for sk, found "x"'],
  ['\t skmem:(r0,d0)\n', 'expected a line "LISTEN Recv-Q Send-Q Local Peer", found "\\t skmem:(r0,d0)"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseSs(text))).toBe(`ParseError: ${message}`);
});

test('before iproute2 4.17 the address * is that of an IPv4 socket', () => {
  const text = [
    'LISTEN     0      128                       *:22                       *:*      ino:12345 sk:ffff880036e7c000 <->',
    '\t skmem:(r0,rb87380,t0,tb16384,f0,w0,o0,bl0)',
    'LISTEN     0      128                      :::22                      :::*      ino:12346 sk:ffff880036e7c800 <->',
    '',
  ].join('\n');
  expect(parseSs(text).map(({ family, address, port }) => [family, address, port])).toEqual([
    ['ipv4', '0.0.0.0', 22],
    ['ipv6', '::', 22],
  ]);
});

const listener = (port: number, limit: number, details = ''): string =>
  `LISTEN     0      ${limit}       0.0.0.0:${port}      0.0.0.0:*      uid:0 ino:${port} sk:1${details}\n`;
const skmem = '\t skmem:(r0,rb87380,t0,tb16384,f0,w0,o0,bl0,d4)\n';

test('an iproute2 without -H prints a heading', () => {
  const heading = 'State      Recv-Q Send-Q        Local Address:Port          Peer Address:Port              \n';
  expect(parseSs(`${heading}${listener(22, 128)}${skmem}`)).toEqual(parseSs(`${listener(22, 128)}${skmem}`));
  expect(parseSs(heading)).toEqual([]);
});

test('an ss that has to read /proc/net/tcp itself prints limits of 0, which are none', () => {
  expect(parseSs(listener(22, 0) + listener(80, 0)).map(({ queueLimit }) => queueLimit)).toEqual([
    undefined,
    undefined,
  ]);
  expect(parseSs(listener(22, 0) + skmem)).toMatchObject([{ port: 22, queueLimit: 0, drops: 4 }]);
  expect(parseSs(listener(22, 0) + listener(80, 5)).map(({ queueLimit }) => queueLimit)).toEqual([0, 5]);
});

test('a broken row costs its listener, and its details are nobody else\u2019s', () => {
  const errors: string[] = [];
  const text = `${skmem}${listener(22, 128)}LISTEN 0 - 0.0.0.0:80 0.0.0.0:*\n${skmem}\n${listener(443, 9)}`;
  const listeners = parseSs(text, ({ message }) => errors.push(message));
  expect(listeners.map(({ port, drops }) => [port, drops])).toEqual([
    [22, undefined],
    [443, undefined],
  ]);
  expect(errors).toHaveLength(2);
});
