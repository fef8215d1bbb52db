import { ParseError, quote } from './parse-error.ts';

/**
 * One ring of a netback queue. Indices are u32 and wrap. `requestProduced` lies in the page that the guest shares, which may write anything to
 * it; the other two are netback's own.
 */
export interface IoRing {
  /** Slots of the ring. */
  slots: number;
  /** Requests that the guest has put into the ring. */
  requestProduced: number;
  /** Requests that netback has taken from it. */
  requestConsumed: number;
  /** Responses that netback has put into it. */
  responseProduced: number;
}

/** Progress of the guest's packets behind the ring. Indices are u32, and netback's own. */
export interface TransmitState {
  /** Slots of the guest that netback holds. */
  pendingRequests: number;
  /** Pages that wait to be given back to the guest. */
  deallocQueue: number;
  /** Grows by each page that the dealloc thread is given. */
  deallocProduced: number;
}

/** A queue of a vif, from debugfs. */
export interface IoRingFile {
  /** From the guest. Undefined while it is not mapped. */
  transmit: (IoRing & TransmitState) | undefined;
  /** Toward the guest: requests are free buffers. Undefined while it is not mapped. */
  receive: IoRing | undefined;
  /** Netback waits for its rate limit to let the guest send on. */
  isRateLimited: boolean;
  /** Packets toward the guest that wait in netback, in bytes. */
  guestQueueBytes: number;
  guestQueueLimitBytes: number;
  /** The queue is full: netback takes no more. */
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
 * /sys/kernel/debug/xen-netback/VIF/io_ring_qN (xenvif_read_io_ring in drivers/net/xen-netback/xenbus.c; the same in Linux 5.10, 6.1 and 6.12).
 * The kernel reads the fields one after the other, without a lock: they are not of one instant. The differences that it prints in parentheses
 * are of indices that the guest can write, and are passed over. Throws ParseError.
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
 * How far one index of a ring is ahead of another, 0 to `slots`; undefined where it is further than the ring is long, which only a guest that
 * writes nonsense brings about. A little behind counts as level: fields are read one after the other while the ring runs.
 */
export const ringDistance = (ahead: number, behind: number, slots: number): number | undefined => {
  const distance = (ahead - behind + TWO_32) % TWO_32;
  if (distance <= slots) return distance;
  return TWO_32 - distance <= slots ? 0 : undefined;
};
