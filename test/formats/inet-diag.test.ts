import { describe, expect, test } from 'vitest';
import {
  bothListenRequest,
  InetDiagDumps,
  keepListeners,
  listenRequest,
  parseInetDiag,
  parseSynRecv,
  type SynRecvSocket,
  synRecvRequest,
} from '../../src/formats/inet-diag.ts';
import type { ListenerSocket } from '../../src/formats/listener-socket.ts';
import { parseSs } from '../../src/formats/ss.ts';
import { readBytes, readText } from '../../tools/lib/fixture.ts';
import { attribute, dump, message, words } from './netlink-message.ts';
import { thrownBy } from './thrown-by.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const anySocket = `${'00'.repeat(40)}${'ff'.repeat(8)}`;

test('asks for listeners, with their memory', () => {
  const header = '48000000' + '1400' + '0103' + '01000000' + '00000000';
  expect(hexOf(listenRequest('ipv4'))).toBe(`${header}02064000${'00040000'}${anySocket}`);
  expect(hexOf(listenRequest('ipv6'))).toBe(`${header}0a064000${'00040000'}${anySocket}`);
});

test('asks for listeners of both families at once, or for some of them', () => {
  const header = '4c000000' + '1200' + '0103' + '01000000' + '00000000';
  expect(hexOf(bothListenRequest())).toBe(`${header}00000040${anySocket}${'00040000'}${'00000000'}`);
  const some = bothListenRequest([{ family: 'ipv6', address: '::', port: 80 }]);
  // 4 bytes of attribute header, then the program; the length in the header counts both.
  expect([some.length, some[0], hexOf(some.subarray(76, 80))]).toEqual([112, 112, '24000100']);
});

test('asks for half-open connections', () => {
  const header = '48000000' + '1400' + '0103' + '01000000' + '00000000';
  expect(hexOf(synRecvRequest('ipv4'))).toBe(`${header}02060000${'08000000'}${anySocket}`);
  expect(hexOf(synRecvRequest('ipv6'))).toBe(`${header}0a060000${'08000000'}${anySocket}`);
});

test('reads the listeners of a guest in the storm', () => {
  const netlink = 'guests/pv-netlink-storm/netlink';
  expect(parseInetDiag(readBytes(`${netlink}/inet-diag-listen-v4.bin`))).toEqual({
    sockets: [
      {
        family: 'ipv4',
        address: '0.0.0.0',
        port: 8080,
        queueLength: 9,
        queueLimit: 8,
        drops: 29370,
        id: 1,
        uid: 0,
        cgroupId: 1,
      },
      {
        family: 'ipv4',
        address: '0.0.0.0',
        port: 22,
        queueLength: 0,
        queueLimit: 128,
        drops: 0,
        id: 2,
        uid: 0,
        cgroupId: 1,
      },
    ],
    interrupted: false,
  });
  expect(parseInetDiag(readBytes(`${netlink}/inet-diag-listen-v6.bin`))).toEqual({
    sockets: [
      {
        family: 'ipv6',
        address: '::',
        port: 22,
        queueLength: 0,
        queueLimit: 128,
        drops: 0,
        id: 3,
        uid: 0,
        cgroupId: 1,
      },
    ],
    interrupted: false,
  });
});

const bothFamilies = (folder: string): ListenerSocket[] => [
  ...parseInetDiag(readBytes(`${folder}/inet-diag-listen-v4.bin`)).sockets,
  ...parseInetDiag(readBytes(`${folder}/inet-diag-listen-v6.bin`)).sockets,
];

test('agrees with ss on addresses of every kind', () => {
  expect(bothFamilies('linux-6.18')).toEqual(
    parseSs(readText('linux-6.18/ss-Hltnem')).map(({ inode: _inode, cookie, ...listener }) => ({
      ...listener,
      id: cookie,
      uid: 0,
      cgroupId: 1,
    })),
  );
});

test.each(['guests/pv-netlink-storm/netlink', 'dom0-netlink-storm'])('agrees with ss in %s', (folder) => {
  // The drops went on between the two captures.
  expect(bothFamilies(folder).map(({ drops: _drops, cgroupId: _cgroupId, ...listener }) => listener)).toEqual(
    parseSs(readText(`${folder}/ss-Hltne`)).map(({ inode: _inode, cookie, ...listener }) => ({
      ...listener,
      id: cookie,
      uid: 0,
    })),
  );
});

test('reads the SYN queue of a guest in the storm', () => {
  const half: SynRecvSocket = { family: 'ipv4', address: '10.0.2.101', port: 8080 };
  expect(parseSynRecv(readBytes('guests/pv-netlink-storm/netlink/inet-diag-syn-recv-v4.bin'))).toEqual({
    sockets: [half, half, half, half, half, half],
    interrupted: false,
  });
});

test('reads half-open connections of both families, and what ss says of them', () => {
  const sockets = [
    ...parseSynRecv(readBytes('linux-6.18/inet-diag-syn-recv-v4.bin')).sockets,
    ...parseSynRecv(readBytes('linux-6.18/inet-diag-syn-recv-v6.bin')).sockets,
  ];
  expect(sockets).toEqual([
    { family: 'ipv4', address: '127.0.0.1', port: 8003 },
    { family: 'ipv4', address: '127.0.0.1', port: 8003 },
    { family: 'ipv6', address: '::ffff:127.0.0.1', port: 8012 },
    { family: 'ipv6', address: '::1', port: 8012 },
    { family: 'ipv6', address: '::1', port: 8012 },
    { family: 'ipv6', address: '2001:db8::a:0:0:1', port: 8012 },
    { family: 'ipv6', address: '::1', port: 8012 },
  ]);
  const ss = readText('linux-6.18/ss-Htan-state-syn-recv').trim().split('\n');
  expect(
    sockets.map(({ address, port }) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)).sort(),
  ).toEqual(ss.map((line) => line.split(/ +/)[2]).sort());
});

const row = (family: number, state: number): Uint8Array[] => [words(family | (state << 8)), new Uint8Array(68)];
const bare = { family: 'ipv4', address: '0.0.0.0', port: 0, queueLength: 0, queueLimit: 0, id: 0, uid: 0 };

test('leaves out what an older kernel does not send', () => {
  const oldMemory = attribute(7, words(0, 131072, 0, 16384, 0, 0, 0, 0));
  expect(parseInetDiag(dump(message(20, row(2, 10)), message(20, [...row(2, 10), oldMemory]))).sockets).toEqual([
    bare,
    bare,
  ]);
});

test('reads numbers beyond 32 bits', () => {
  const [family, rest] = row(2, 10);
  rest!.set(words(2, 1), 40);
  expect(parseInetDiag(dump(message(20, [family!, rest!, attribute(21, words(4, 3))]))).sockets).toEqual([
    { ...bare, id: 2 ** 32 + 2, cgroupId: 3 * 2 ** 32 + 4 },
  ]);
});

test.each([
  ['another message', dump(message(36, row(2, 10))), 'expected a row of sock_diag, found a message of type 36'],
  ['a short row', dump(message(20, [words(2)])), 'expected a row of 72 bytes, found 4 bytes'],
  ['another state', dump(message(20, row(2, 1))), 'expected a socket in state 10, found state 1'],
  ['another family', dump(message(20, row(1, 10))), 'expected a socket of AF_INET or AF_INET6, found family 1'],
  [
    'an attribute that is too long',
    dump(message(20, [...row(2, 10), words(0x0007_0028, 0)])),
    'expected an attribute of 4 to 8 bytes, found a length of 40',
  ],
  [
    'an attribute without length',
    dump(message(20, [...row(2, 10), words(0x0007_0000)])),
    'expected an attribute of 4 to 4 bytes, found a length of 0',
  ],
  [
    'half a cgroup id',
    dump(message(20, [...row(2, 10), attribute(21, words(1))])),
    'expected a cgroup id of 8 bytes, found 4 bytes',
  ],
])('refuses %s', (_name, bytes, text) => {
  expect(thrownBy(() => parseInetDiag(bytes))).toBe(`ParseError: ${text}`);
});

test('refuses a listener among half-open connections', () => {
  expect(thrownBy(() => parseSynRecv(readBytes('dom0-netlink-storm/inet-diag-listen-v4.bin')))).toBe(
    'ParseError: expected a socket in state 3, found state 10',
  );
});

describe('one dump after another', () => {
  const whole = Buffer.from(readBytes('guests/pv-netlink-storm/netlink/inet-diag-listen-v4.bin'));
  const secondRow = whole.readUInt32LE(0);

  /** The dump with one byte changed, `at` so many bytes behind the header of its second row. */
  const changed = (at: number): Buffer => {
    const bytes = Buffer.from(whole);
    bytes[secondRow + 16 + at]! ^= 1;
    return bytes;
  };

  test('the same one is the same object', () => {
    const dumps = new InetDiagDumps();
    const first = dumps.parse(whole);
    expect(first).toEqual(parseInetDiag(whole));
    expect(dumps.parse(Buffer.from(whole))).toBe(first);
  });

  test.each([
    ['the length of the queue', 56],
    ['the user', 64],
    // Behind the other attributes and the header of this one.
    ['the number of drops', 72 + 36 + 4 + 32],
  ])('if %s of a socket changes, the others are the same objects', (_, at) => {
    const dumps = new InetDiagDumps();
    const first = dumps.parse(whole);
    const second = dumps.parse(changed(at));
    expect(second).toEqual(parseInetDiag(changed(at)));
    expect(second.sockets[0]).toBe(first.sockets[0]);
    expect(second.sockets[1]).not.toEqual(first.sockets[1]);
    expect(dumps.parse(whole)).toEqual(first);
  });

  test.each([
    ['the port', 4],
    ['the cookie', 44],
    ['the flags of the header', -10],
  ])('if %s changes, all is parsed', (_, at) => {
    const dumps = new InetDiagDumps();
    dumps.parse(whole);
    expect(dumps.parse(changed(at))).toEqual(parseInetDiag(changed(at)));
  });

  test('what is refused is refused again, and costs nothing of what follows', () => {
    const dumps = new InetDiagDumps();
    dumps.parse(whole);
    const attributeTooLong = changed(73);
    for (let i = 0; i < 2; i += 1) {
      expect(thrownBy(() => dumps.parse(attributeTooLong))).toBe(thrownBy(() => parseInetDiag(attributeTooLong)));
      expect(thrownBy(() => dumps.parse(new Uint8Array()))).toContain('ParseError');
    }
    expect(dumps.parse(changed(56))).toEqual(parseInetDiag(changed(56)));
  });
});

describe('keeps a part of the listeners', () => {
  const whole = readBytes('guests/pv-netlink-storm/netlink/inet-diag-listen-v4.bin');
  const kept = (bytes: Uint8Array, isKept: Parameters<typeof keepListeners>[1]): Buffer => {
    const piece = Buffer.from(bytes);
    return piece.subarray(0, keepListeners(piece, isKept));
  };
  const portsIn = (bytes: Uint8Array): number[] => parseInetDiag(bytes).sockets.map(({ port }) => port);

  test('by user, port and address', () => {
    const seen: unknown[] = [];
    const bytes = kept(whole, ({ uid, family, port, address }) => {
      seen.push([uid, family, port, address()]);
      return port === 22;
    });
    expect(seen).toEqual([
      [0, 'ipv4', 8080, '0.0.0.0'],
      [0, 'ipv4', 22, '0.0.0.0'],
    ]);
    expect(parseInetDiag(bytes).sockets).toEqual(parseInetDiag(whole).sockets.slice(1));
    expect(kept(whole, () => true)).toEqual(whole);
    expect(portsIn(kept(whole, () => false))).toEqual([]);
  });

  test('what is no whole message is left for the parser to refuse', () => {
    for (const end of [1, 15, 17, 100, whole.length - 1]) {
      const broken = whole.subarray(0, end);
      const refusal = thrownBy(() => parseInetDiag(broken));
      expect(refusal).toBeDefined();
      expect(kept(broken, () => true)).toEqual(broken);
      expect(thrownBy(() => parseInetDiag(kept(broken, () => false)))).toBeDefined();
    }
  });
});
