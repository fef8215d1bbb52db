import { expect, test } from 'vitest';
import { parseDpctlShow } from '../../src/formats/ovs-dpctl-show.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const capture = readText('xl/ovs-appctl-dpctl-show');
const datapaths = [
  { datapath: 'netdev@ovs-netdev', lost: 0 },
  { datapath: 'dummy@ovs-dummy', lost: 0 },
];

test('reads two datapaths', () => {
  expect(parseDpctlShow(capture)).toEqual(datapaths);
});

test('reads what old Open vSwitch prints, which indents by tabs', () => {
  expect(parseDpctlShow(capture.replaceAll('\n  ', '\n\t'))).toEqual(datapaths);
});

test('reads the datapath of the kernel, which counts masks and caches as well', () => {
  const kernel = readText('xl/ovs-appctl-dpctl-show-kernel');
  expect(parseDpctlShow(kernel)).toEqual([{ datapath: 'system@ovs-system', lost: 0 }]);
  expect(parseDpctlShow(kernel.replace('lost:0', 'lost:7'))[0]!.lost).toBe(7);
});

test('leaves out a datapath whose counters could not be had', () => {
  expect(parseDpctlShow(capture.replace(/ {2}lookups.*\n {2}flows.*\n/, ''))).toEqual([datapaths[1]]);
});

test.each([
  ['', 'expected lines that all end in a newline, found no output'],
  ['\n', 'expected a line "type@datapath:", found an empty line'],
  ['  lookups: hit:0 missed:0 lost:0\n', 'expected a line "type@datapath:", found "  lookups: hit:0 missed:0 lost:0"'],
  [`${capture}2 datapaths\n`, 'expected a line "type@datapath:", found "2 datapaths"'],
  [
    capture.replace('lost:0', 'lost:?'),
    'expected a line "lookups: hit:N missed:N lost:N", found "  lookups: hit:12 missed:3 lost:?"',
  ],
  [
    capture.replace('hit:12', `hit:${'1'.repeat(21)}`),
    `expected a number for netdev@ovs-netdev hit, found "${'1'.repeat(21)}"`,
  ],
  [
    capture.replace('missed:3', `missed:${'1'.repeat(21)}`),
    `expected a number for netdev@ovs-netdev missed, found "${'1'.repeat(21)}"`,
  ],
  [capture.slice(0, -9), 'expected lines that all end in a newline, found "  port 101: br1 (dummy-i"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseDpctlShow(text))).toBe(`ParseError: ${message}`);
});
