import { expect, test } from 'vitest';
import { parseNetCounters, parsePassiveOpens } from '../../src/formats/proc-net-counters.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const nonZero = (counters: Map<string, number>): Record<string, number> =>
  Object.fromEntries([...counters].filter(([, value]) => value !== 0));

test('reads /proc/net/netstat of a guest in the storm', () => {
  const counters = parseNetCounters(readText('guests/pv-storm/proc/net/netstat'));
  expect(nonZero(counters)).toEqual({
    'TcpExt.SyncookiesSent': 364,
    'TcpExt.SyncookiesRecv': 1289,
    'TcpExt.SyncookiesFailed': 1,
    'TcpExt.TW': 1538,
    'TcpExt.DelayedACKs': 20,
    'TcpExt.DelayedACKLocked': 1,
    'TcpExt.DelayedACKLost': 15,
    'TcpExt.ListenOverflows': 3184,
    'TcpExt.ListenDrops': 3184,
    'TcpExt.TCPHPHits': 2,
    'TcpExt.TCPPureAcks': 2460,
    'TcpExt.TCPHPAcks': 161,
    'TcpExt.TCPTimeouts': 169,
    'TcpExt.TCPLossProbes': 188,
    'TcpExt.TCPDSACKOldSent': 15,
    'TcpExt.TCPDSACKRecv': 4,
    'TcpExt.TCPAbortOnData': 2,
    'TcpExt.TCPDSACKIgnoredNoUndo': 4,
    'TcpExt.TCPReqQFullDoCookies': 402,
    'TcpExt.TCPRcvCoalesce': 13,
    'TcpExt.TCPSpuriousRtxHostQueues': 36,
    'TcpExt.TCPAutoCorking': 7,
    'TcpExt.TCPSynRetrans': 168,
    'TcpExt.TCPOrigDataSent': 3230,
    'TcpExt.TCPDelivered': 3234,
    'TcpExt.TCPDSACKRecvSegs': 4,
    'IpExt.InOctets': 992424,
    'IpExt.OutOctets': 618582,
    'IpExt.InNoECTPkts': 11358,
  });
  const sizes = Map.groupBy(counters.keys(), (key) => key.split('.')[0]);
  expect([...sizes].map(([prefix, keys]) => `${prefix} ${keys.length}`)).toEqual([
    'TcpExt 125',
    'IpExt 18',
    'MPTcpExt 56',
  ]);
  expect(counters.get('TcpExt.TCPReqQFullDrop')).toBe(0);
});

test('reads /proc/net/snmp of a guest in the storm', () => {
  const counters = parseNetCounters(readText('guests/pv-storm/proc/net/snmp'));
  expect(nonZero(counters)).toEqual({
    'Ip.Forwarding': 2,
    'Ip.DefaultTTL': 64,
    'Ip.InReceives': 11358,
    'Ip.InDelivers': 11358,
    'Ip.OutRequests': 8924,
    'Tcp.RtoAlgorithm': 1,
    'Tcp.RtoMin': 200,
    'Tcp.RtoMax': 120000,
    'Tcp.MaxConn': -1,
    'Tcp.PassiveOpens': 1559,
    'Tcp.CurrEstab': 11,
    'Tcp.InSegs': 11358,
    'Tcp.OutSegs': 8752,
    'Tcp.RetransSegs': 356,
    'Tcp.OutRsts': 527,
  });
  const sizes = Map.groupBy(counters.keys(), (key) => key.split('.')[0]);
  expect([...sizes].map(([prefix, keys]) => `${prefix} ${keys.length}`)).toEqual([
    'Ip 19',
    'Icmp 29',
    'Tcp 15',
    'Udp 9',
    'UdpLite 9',
  ]);
});

test('rounds what is beyond 2^53', () => {
  expect(parseNetCounters('IpExt: InOctets\nIpExt: 18446744073709551615\n')).toEqual(
    new Map([['IpExt.InOctets', 2 ** 64]]),
  );
});

test('a broken pair costs its counters, a broken number only itself; blank rows and half a pair are none', () => {
  const errors: string[] = [];
  const text = 'Ip: A B\nIp: 1\n\nTcp: A B C\nTcp: 1 - 3\nUdp: A\nIcmp: A\nIcmp: 4\nhello\nX: A\nX: 5\nY: A\n';
  expect(parseNetCounters(text, ({ message }) => errors.push(message))).toEqual(
    new Map([
      ['Tcp.A', 1],
      ['Tcp.C', 3],
      ['Icmp.A', 4],
      ['X.A', 5],
    ]),
  );
  expect(errors).toEqual([
    'expected 2 values behind "Ip:", found 1',
    'expected a number for Tcp.B, found "-"',
    'expected values behind "Udp:", found "Icmp: A"',
    'expected a line "TcpExt: ..." or the like, found "hello"',
    'expected values behind "Y:", found nothing',
  ]);
});

test.each([
  ['Tcp: A\nTcp: 1', 'expected a line end at the end of the file, found "Tcp: 1"'],
  ['', 'expected a line "TcpExt: ..." or the like, found an empty file'],
  ['\n', 'expected a line "TcpExt: ..." or the like, found "\\n"'],
  ['Ip6InReceives 4\n', 'expected a line "TcpExt: ..." or the like, found "Ip6InReceives 4"'],
  ['Tcp: PassiveOpens\n', 'expected values behind "Tcp:", found nothing'],
  ['Tcp: PassiveOpens\nUdp: 1\n', 'expected values behind "Tcp:", found "Udp: 1"'],
  ['Tcp: PassiveOpens MaxConn\nTcp: 1\n', 'expected 2 values behind "Tcp:", found 1'],
  ['Tcp: PassiveOpens\nTcp: 1x\n', 'expected a number for Tcp.PassiveOpens, found "1x"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseNetCounters(text))).toBe(`ParseError: ${message}`);
});

test('reads the passive opens alone', () => {
  for (const guest of ['pv-idle', 'pv-storm']) {
    const text = readText(`guests/${guest}/proc/net/snmp`);
    expect(parsePassiveOpens(text)).toBe(parseNetCounters(text).get('Tcp.PassiveOpens'));
    expect(parsePassiveOpens(text)).toBeGreaterThan(0);
  }
  expect(parsePassiveOpens('Tcp: RtoAlgorithm RtoMin\nTcp: 1 200\n')).toBeUndefined();
  expect(parsePassiveOpens('')).toBeUndefined();
  expect(thrownBy(() => parsePassiveOpens('Tcp: PassiveOpens\nTcp: many\n'))).toContain('Tcp.PassiveOpens');
});
