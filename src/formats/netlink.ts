import { getSystemErrorName } from 'node:util';
import { ParseError } from './parse-error.ts';

/** The kernel's answer that it cannot or will not dump. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** A positive errno: 1 is EPERM. */
  readonly errno: number;

  constructor(errno: number) {
    super(`the kernel answered ${getSystemErrorName(-errno)}`);
    this.errno = errno;
  }
}

/** One message of a dump: its type and its payload's start and end. */
export interface NetlinkMessage {
  type: number;
  start: number;
  end: number;
}

/** The kernel's answer to a dump request. */
export interface NetlinkDump {
  messages: NetlinkMessage[];
  /**
   * The table changed while the kernel walked it (NLM_F_DUMP_INTR): rows may be missing or duplicated. Request again.
   */
  interrupted: boolean;
}

// include/uapi/linux/netlink.h
const headerBytes = 16;
const attributeHeaderBytes = 4;
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_REQUEST_DUMP = 0x301;
const NLA_TYPE_MASK = 0x3fff;

/** Lengths of messages and attributes exclude their padding to four bytes. */
export const aligned = (length: number): number => Math.ceil(length / 4) * 4;

/** Netlink uses native byte order: little-endian on x86 and Arm, Xen's platforms. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A u64 at `at`, rounded beyond 2^53. */
export const getUint64 = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

/** A dump request of `bytes` bytes for `type`: header set, payload zero. */
export const dumpRequest = (type: number, bytes: number): Uint8Array => {
  const request = new Uint8Array(bytes);
  const view = viewOf(request);
  view.setUint32(0, bytes, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST_DUMP, true);
  view.setUint32(8, 1, true); // the sequence number, which the answer repeats
  return request;
};

/** Throws NetlinkError for the error at the start of NLMSG_ERROR and NLMSG_DONE; 0 is none. */
const throwErrno = (view: DataView, start: number, end: number): void => {
  if (end - start < 4) throw new ParseError('an error number', `${end - start} bytes`);
  const result = view.getInt32(start, true);
  if (result < 0) throw new NetlinkError(-result);
};

/**
 * Splits the answer to a dump request into its messages. Throws NetlinkError if the kernel refused or failed midway
 * (netlink_dump in net/netlink/af_netlink.c puts that error into NLMSG_DONE), and ParseError if the dump is incomplete.
 */
export const parseDump = (bytes: Uint8Array): NetlinkDump => {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  let interrupted = false;
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (length < headerBytes || length > bytes.length - at) {
      throw new ParseError(`a message of ${headerBytes} to ${bytes.length - at} bytes`, `a length of ${length}`);
    }
    if ((view.getUint16(at + 6, true) & NLM_F_DUMP_INTR) !== 0) interrupted = true;
    const start = at + headerBytes;
    const end = at + length;
    at += aligned(length);
    if (type === NLMSG_ERROR || type === NLMSG_DONE) throwErrno(view, start, end);
    if (type === NLMSG_DONE) {
      if (at < bytes.length) throw new ParseError('nothing behind NLMSG_DONE', `${bytes.length - at} bytes`);
      return { messages, interrupted };
    }
    if (type !== NLMSG_ERROR && type !== NLMSG_NOOP) messages.push({ type, start, end });
  }
  throw new ParseError('a dump that ends with NLMSG_DONE', `${bytes.length} bytes without it`);
};

/**
 * Moves the messages that satisfy `isKept` to the beginning of a piece of a dump, which has whole messages, and returns
 * their size in bytes. Malformed bytes are kept, so that `parseDump` rejects them.
 */
export const keepMessages = (piece: Uint8Array, isKept: (message: NetlinkMessage) => boolean): number => {
  const view = viewOf(piece);
  const message = { type: 0, start: 0, end: 0 };
  let kept = 0;
  const keep = (from: number, to: number): void => {
    if (kept < from) piece.copyWithin(kept, from, to);
    kept += to - from;
  };
  let at = 0;
  while (at + headerBytes <= piece.length) {
    const length = view.getUint32(at, true);
    if (length < headerBytes || length > piece.length - at) break;
    message.type = view.getUint16(at + 4, true);
    message.start = at + headerBytes;
    message.end = at + length;
    const next = Math.min(at + aligned(length), piece.length);
    if (isKept(message)) keep(at, next);
    at = next;
  }
  keep(at, piece.length);
  return kept;
};

/**
 * Length of the attribute at `at`, with its header but without padding. Throws ParseError if it does not fit before
 * `end`.
 */
export const attributeLength = (view: DataView, at: number, end: number): number => {
  const length = view.getUint16(at, true);
  if (length < attributeHeaderBytes || length > end - at) {
    throw new ParseError(`an attribute of ${attributeHeaderBytes} to ${end - at} bytes`, `a length of ${length}`);
  }
  return length;
};

/** Type of the attribute at `at`, without the flags in its upper two bits. */
export const attributeType = (view: DataView, at: number): number => view.getUint16(at + 2, true) & NLA_TYPE_MASK;

/** Whether another attribute fits between `at` and `end`. */
export const hasAttribute = (at: number, end: number): boolean => at + attributeHeaderBytes <= end;
