import {
  aligned,
  attributeLength,
  attributeType,
  dumpRequest,
  getUint64,
  hasAttribute,
  type NetlinkMessage,
  parseDump,
  viewOf,
} from './netlink.ts';
import { ParseError } from './parse-error.ts';

// include/uapi/linux/rtnetlink.h, pkt_sched.h, gen_stats.h
const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const TC_H_ROOT = 0xffffffff;
const TCA_KIND = 1;
const TCA_STATS2 = 7;
const TCA_STATS_BASIC = 1;
const TCA_STATS_QUEUE = 3;
const TCA_STATS_PKT64 = 8;

// struct tcmsg and its offsets
const tcmsgBytes = 20;
const ifindexAt = 4;
const parentAt = 12;

/** A queueing discipline of a network device. drops, requeues and overlimits are u32 and wrap. */
export interface Qdisc {
  /** Index of the device (/sys/class/net/NAME/ifindex). */
  ifindex: number;
  /** Handle of its parent class; 0xffffffff for a root. */
  parent: number;
  /** `fq_codel`, `mq`, `noqueue`, ... */
  kind: string;
  /** Bytes passed to the device. Counter, u64. */
  sentBytes: number;
  /** Packets passed to the device. Counter; u32 before Linux 5.5. */
  sentPackets: number;
  /** Packets waiting. Gauge. */
  queueLength: number;
  /** Bytes waiting. Gauge. */
  backlogBytes: number;
  /** Packets dropped. Counter. */
  drops: number;
  /** Packets that the device refused and that were put back. Counter. */
  requeues: number;
  /** Times that the rate limit delayed a packet. Counter. */
  overlimits: number;
}

/** Request for all queueing disciplines of all devices: see parseQdiscs. */
export const qdiscRequest = (): Uint8Array => dumpRequest(RTM_GETQDISC, 16 + tcmsgBytes);

/**
 * Whether this is a device's root. Roots include their children: the mq of a device with several queues is their sum.
 * clsact and ingress are not below the root and send nothing.
 */
export const isRootQdisc = (qdisc: Qdisc): boolean => qdisc.parent === TC_H_ROOT;

const readKind = (view: DataView, start: number, end: number): string => {
  let kind = '';
  for (let at = start; at < end && view.getUint8(at) !== 0; at += 1) kind += String.fromCharCode(view.getUint8(at));
  return kind;
};

const needBytes = (name: string, needed: number, found: number): void => {
  if (found < needed) throw new ParseError(`${name} of ${needed} bytes`, `${found} bytes`);
};

/** Fills in the contents of TCA_STATS2 between `start` and `end`. */
const addStats = (qdisc: Qdisc, view: DataView, start: number, end: number): void => {
  let at = start;
  while (hasAttribute(at, end)) {
    const length = attributeLength(view, at, end);
    const payload = at + 4;
    switch (attributeType(view, at)) {
      case TCA_STATS_BASIC:
        needBytes('TCA_STATS_BASIC', 12, length - 4);
        qdisc.sentBytes = getUint64(view, payload);
        qdisc.sentPackets = view.getUint32(payload + 8, true);
        break;
      case TCA_STATS_QUEUE:
        needBytes('TCA_STATS_QUEUE', 20, length - 4);
        qdisc.queueLength = view.getUint32(payload, true);
        qdisc.backlogBytes = view.getUint32(payload + 4, true);
        qdisc.drops = view.getUint32(payload + 8, true);
        qdisc.requeues = view.getUint32(payload + 12, true);
        qdisc.overlimits = view.getUint32(payload + 16, true);
        break;
      case TCA_STATS_PKT64:
        // Since Linux 5.5, after TCA_STATS_BASIC if 32 bits do not suffice (net/core/gen_stats.c).
        needBytes('TCA_STATS_PKT64', 8, length - 4);
        qdisc.sentPackets = getUint64(view, payload);
        break;
    }
    at += aligned(length);
  }
};

const parseQdisc = (view: DataView, { type, start, end }: NetlinkMessage): Qdisc => {
  if (type !== RTM_NEWQDISC) throw new ParseError('a qdisc', `a message of type ${type}`);
  needBytes('a qdisc', tcmsgBytes, end - start);
  const qdisc: Qdisc = {
    ifindex: view.getInt32(start + ifindexAt, true),
    parent: view.getUint32(start + parentAt, true),
    kind: '',
    sentBytes: 0,
    sentPackets: 0,
    queueLength: 0,
    backlogBytes: 0,
    drops: 0,
    requeues: 0,
    overlimits: 0,
  };
  let hasStats = false;
  let at = start + tcmsgBytes;
  while (hasAttribute(at, end)) {
    const length = attributeLength(view, at, end);
    const attribute = attributeType(view, at);
    if (attribute === TCA_KIND) qdisc.kind = readKind(view, at + 4, at + length);
    if (attribute === TCA_STATS2) {
      addStats(qdisc, view, at + 4, at + length);
      hasStats = true;
    }
    at += aligned(length);
  }
  if (qdisc.kind === '' || !hasStats) throw new ParseError('a qdisc with TCA_KIND and TCA_STATS2', 'one without');
  return qdisc;
};

/** Parses the kernel's answer to qdiscRequest (net/sched/sch_api.c, tc_fill_qdisc). Throws ParseError, NetlinkError. */
export const parseQdiscs = (bytes: Uint8Array): { qdiscs: Qdisc[]; interrupted: boolean } => {
  const view = viewOf(bytes);
  const { messages, interrupted } = parseDump(bytes);
  return { qdiscs: messages.map((message) => parseQdisc(view, message)), interrupted };
};
