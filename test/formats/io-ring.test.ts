import { describe, expect, test } from 'vitest';
import { parseIoRing, ringDistance } from '../../src/formats/io-ring.ts';
import { readText } from '../../tools/lib/fixture.ts';

const capture = readText('hosts/credit-storm/sys/kernel/debug/xen-netback/vif1.0/io_ring_q1');

test('a queue in a storm', () => {
  expect(parseIoRing(capture)).toEqual({
    transmit: {
      slots: 256,
      requestProduced: 4002,
      requestConsumed: 4002,
      responseProduced: 4002,
      pendingRequests: 0,
      deallocQueue: 0,
      deallocProduced: 42,
    },
    receive: { slots: 256, requestProduced: 4853, requestConsumed: 4600, responseProduced: 4600 },
    isRateLimited: false,
    guestQueueBytes: 0,
    guestQueueLimitBytes: 524288,
    isGuestQueueStopped: false,
  });
});

test('rings that are not mapped are absent', () => {
  const [head, , rx, ...rest] = capture.split(/(?=^TX:|^RX:|^NAPI)/m);
  const withoutTransmit = parseIoRing([head, rx, ...rest].join(''));
  expect(withoutTransmit.transmit).toBeUndefined();
  expect(withoutTransmit.receive?.slots).toBe(256);
  const withoutRings = parseIoRing([head, ...rest].join(''));
  expect([withoutRings.transmit, withoutRings.receive]).toEqual([undefined, undefined]);
});

test('a queue that is full and waits for its rate limit', () => {
  const text = capture
    .replace('timer_pending: 0, credit: 18446744073709551615, usec: 0', 'timer_pending: 1, credit: 62500, usec: 50000')
    .replace('len 0 max 524288 pkts 0 running', 'len 525800 max 524288 pkts 351 stopped');
  expect(parseIoRing(text)).toMatchObject({
    isRateLimited: true,
    guestQueueBytes: 525800,
    isGuestQueueStopped: true,
  });
});

test.each([
  ['an empty file', '', 'an empty file'],
  ['half a file', capture.slice(0, 150), '"Queue 1\\nTX: nr_ents 256\\nreq prod 4002 (0) cons 4002 (0) eve…"'],
])('%s', (_what, text, found) => {
  expect(() => parseIoRing(text)).toThrow(`expected the state of a netback queue ("Queue N ..."), found ${found}`);
});

describe('the distance between two indices', () => {
  test.each([
    ['level', 5, 5, 0],
    ['ahead', 260, 5, 255],
    ['ahead by a whole ring', 261, 5, 256],
    ['across the wrap', 3, 0xfffffffe, 5],
    ['a little behind, for the ring ran on between the two reads', 5, 9, 0],
    ['behind across the wrap', 0xfffffffe, 3, 0],
  ])('%s', (_what, ahead, behind, distance) => expect(ringDistance(ahead, behind, 256)).toBe(distance));

  test.each([
    ['further than the ring is long', 262, 5],
    ['half the range', 0x80000005, 5],
    ['far behind', 5, 1000],
  ])('%s cannot be', (_what, ahead, behind) => expect(ringDistance(ahead, behind, 256)).toBeUndefined());
});
