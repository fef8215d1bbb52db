import { expect, test } from 'vitest';
import { type NetDevice, parseNetDev } from '../../src/formats/proc-net-dev.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const quiet: NetDevice = {
  receiveBytes: 0,
  receivePackets: 0,
  receiveErrors: 0,
  receiveDropped: 0,
  transmitBytes: 0,
  transmitPackets: 0,
  transmitErrors: 0,
  transmitDropped: 0,
};

const headings = readText('guests/pv-storm/proc/net/dev').split('\n').slice(0, 2).join('\n');

test('reads the devices of a guest', () => {
  expect(parseNetDev(readText('guests/pv-storm/proc/net/dev'))).toEqual(
    new Map([
      ['lo', quiet],
      [
        'eth0',
        { ...quiet, receiveBytes: 1004256, receivePackets: 11511, transmitBytes: 751724, transmitPackets: 9027 },
      ],
    ]),
  );
});

test('reads the devices of Dom0: bridge, uplink and vifs', () => {
  const traffic = (bytesIn: number, packetsIn: number, bytesOut: number, packetsOut: number): NetDevice => ({
    ...quiet,
    receiveBytes: bytesIn,
    receivePackets: packetsIn,
    transmitBytes: bytesOut,
    transmitPackets: packetsOut,
  });
  expect(parseNetDev(readText('dom0-netlink-storm/proc-net-dev'))).toEqual(
    new Map([
      ['lo', quiet],
      ['eth0', traffic(47979540, 36382, 1212644, 5440)],
      ['xenbr0', traffic(51045395, 72905, 8504387, 84856)],
      ['vif1.0', traffic(4645870, 66167, 7183448, 79235)],
      ['vif2.0', traffic(75101, 382, 72991, 361)],
      ['vif3.0', traffic(67792, 313, 65378, 313)],
    ]),
  );
});

test('takes every counter from its column; a name may have a colon, and digits may follow the last one at once', () => {
  expect(parseNetDev(`${headings}\neth0:1:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`)).toEqual(
    new Map([
      [
        'eth0:1',
        {
          receiveBytes: 1,
          receivePackets: 2,
          receiveErrors: 3,
          receiveDropped: 4,
          transmitBytes: 9,
          transmitPackets: 10,
          transmitErrors: 11,
          transmitDropped: 12,
        },
      ],
    ]),
  );
});

test('a namespace may show no device', () => {
  expect(parseNetDev(`${headings}\n`)).toEqual(new Map());
});

test('a broken row costs its device, a broken number only itself; blank rows are none', () => {
  const good = '  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n';
  const errors: string[] = [];
  const text = `${headings}\n\n  eth1: 1 2\n${good}   \n${good.replace('eth0', 'eth2').replace('2 3', '- 3')}`;
  const devices = parseNetDev(text, ({ message }) => errors.push(message));
  expect([...devices.keys()]).toEqual(['eth0', 'eth2']);
  expect(devices.get('eth2')).toEqual({ ...devices.get('eth0'), receivePackets: undefined });
  expect(errors).toEqual([
    'expected a line "name: ..." of 16 counters, found "  eth1: 1 2"',
    'expected a number for eth2 receivePackets, found "-"',
  ]);
});

test.each([
  [`${headings}\n  eth0: 1`, 'expected a line end at the end of the file, found "  eth0: 1"'],
  ['', 'expected a line "Inter-|...", found nothing'],
  ['Inter-|   Receive\n', 'expected a line " face |...", found nothing'],
  [`${headings}\n  eth0: 1 2 3\n`, 'expected a line "name: ..." of 16 counters, found "  eth0: 1 2 3"'],
  [
    `${headings}\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 -12 13 14 15 16\n`,
    'expected a number for eth0 transmitDropped, found "-12"',
  ],
  [
    `${headings}\n  eth0: 1 2 3 4 -5 6 7 8 9 10 11 12 13 14 15 16\n`,
    'expected a number for eth0 receiveFifoErrors, found "-5"',
  ],
  [
    `${headings}\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -16\n`,
    'expected a number for eth0 transmitCompressed, found "-16"',
  ],
  [
    `${headings}\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n`,
    'expected a line "name: ..." of 16 counters, found "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseNetDev(text))).toBe(`ParseError: ${message}`);
});
