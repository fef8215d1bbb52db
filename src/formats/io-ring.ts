import { ParseError, quote } from './parse-error.ts';

/**
 * One ring of a netback queue. Indices are u32 and wrap. `requestProduced` is in a page shared with the guest, which
 * may write anything to it. The other two belong to netback.
 */
export interface IoRing {
  /** Number of slots. */
  slots: number;
  /** Requests that the guest has put into the ring. */
  requestProduced: number;
  /** Requests that netback has taken from the ring. */
  requestConsumed: number;
  /** Responses that netback has put into the ring. */
  responseProduced: number;
}

/** Progress of the guest's packets after the ring. The u32 indices belong to netback. */
export interface TransmitState {
  /** The guest's slots that netback holds. */
  pendingRequests: number;
  /** Pages waiting to be returned to the guest. */
  deallocQueue: number;
  /** Grows with each page passed to the dealloc thread. */
  deallocProduced: number;
}

/** A queue of a vif, from debugfs. */
export interface IoRingFile {
  /** Ring of packets from the guest. Undefined while it is not mapped. */
  transmit: (IoRing & TransmitState) | undefined;
  /** Ring of packets to the guest: requests are free buffers. Undefined while it is not mapped. */
  receive: IoRing | undefined;
  /** Whether netback's rate limit delays the guest. */
  isRateLimited: boolean;
  /** Packets to the guest waiting in netback, in bytes. */
  guestQueueBytes: number;
  guestQueueLimitBytes: number;
  /** Whether the queue is full, so netback accepts no more. */
  isGuestQueueStopped: boolean;
}

const index = String.raw`(\d+) \(-?\d+\)`;
const event = String.raw`event \d+ \(-?\d+\)`;
const transmit = String.raw`TX: nr_ents (\d+)
req prod ${index} cons ${index} ${event}
rsp prod \d+ \(base\) pvt ${index} ${event}
pending prod (\d+) pending cons \d+ nr_pending_reqs (\d+)
dealloc prod (\d+) dealloc cons \d+ dealloc_queue (\d+)

`;
const receive = String.raw`RX: nr_ents (\d+)
req prod ${index} cons ${index} ${event}
rsp prod \d+ \(base\) pvt ${index} ${event}

`;
const rest = String.raw`NAPI state: [0-9a-f]+ NAPI weight: \d+ TX queue len \d+
Credit timer_pending: ([01]), credit: \d+, usec: \d+
remaining: \d+, expires: \d+, now: \d+

Rx internal queue: len (\d+) max (\d+) pkts \d+ (stopped|running)
`;
const pattern = new RegExp(`^Queue \\d+\n(?:${transmit})?(?:${receive})?${rest}$`);

/**
 * Parses /sys/kernel/debug/xen-netback/VIF/io_ring_qN (xenvif_read_io_ring in drivers/net/xen-netback/xenbus.c; same in
 * Linux 5.10, 6.1 and 6.12). The kernel reads the fields one by one without a lock, so they are not simultaneous. The
 * differences in parentheses use indices that the guest can write, and are ignored. Throws ParseError.
 */
export const parseIoRing = (text: string): IoRingFile => {
  const match = pattern.exec(text);
  if (match === null) throw new ParseError('the state of a netback queue ("Queue N ...")', quote(text));
  const [, txSlots, txReq, txCons, txPvt, , pending, deallocProd, dealloc, ...others] = match;
  const [rxSlots, rxReq, rxCons, rxPvt, ...last] = others;
  const [limited, bytes, limit, state] = last;
  return {
    transmit:
      txSlots === undefined
        ? undefined
        : {
            slots: Number(txSlots),
            requestProduced: Number(txReq),
            requestConsumed: Number(txCons),
            responseProduced: Number(txPvt),
            pendingRequests: Number(pending),
            deallocQueue: Number(dealloc),
            deallocProduced: Number(deallocProd),
          },
    receive:
      rxSlots === undefined
        ? undefined
        : {
            slots: Number(rxSlots),
            requestProduced: Number(rxReq),
            requestConsumed: Number(rxCons),
            responseProduced: Number(rxPvt),
          },
    isRateLimited: limited === '1',
    guestQueueBytes: Number(bytes),
    guestQueueLimitBytes: Number(limit),
    isGuestQueueStopped: state === 'stopped',
  };
};

const TWO_32 = 2 ** 32;

/**
 * Distance of one ring index ahead of another, 0 to `slots`. Undefined if it exceeds the ring, which only a misbehaving
 * guest causes. A small lag counts as 0, because the fields are read one by one while the ring runs.
 */
export const ringDistance = (ahead: number, behind: number, slots: number): number | undefined => {
  const distance = (ahead - behind + TWO_32) % TWO_32;
  if (distance <= slots) return distance;
  return TWO_32 - distance <= slots ? 0 : undefined;
};
