import { filterProgram, type ListenAddress } from './inet-diag-filter.ts';
import { addressFamilies, formatIpv4, formatIpv6, type IpFamily } from './ip-address.ts';
import type { ListenerSocket } from './listener-socket.ts';
import {
  aligned,
  attributeLength,
  attributeType,
  dumpRequest,
  getUint64,
  hasAttribute,
  keepMessages,
  type NetlinkMessage,
  parseDump,
  viewOf,
} from './netlink.ts';
import { ParseError } from './parse-error.ts';

// include/uapi/linux/sock_diag.h, inet_diag.h; include/net/tcp_states.h
const TCPDIAG_GETSOCK = 18;
const SOCK_DIAG_BY_FAMILY = 20;
const IPPROTO_TCP = 6;
const TCP_SYN_RECV = 3;
const TCP_LISTEN = 10;
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_SKMEMINFO = 7;
const INET_DIAG_CGROUP_ID = 21;

// nlmsghdr and struct inet_diag_req_v2
const requestBytes = 72;
// nlmsghdr and struct inet_diag_req
const oldRequestBytes = 76;
// struct inet_diag_msg, and where in it things are
const rowBytes = 72;
const stateAt = 1;
const portAt = 4;
const addressAt = 8;
const cookieAt = 44;
const receiveQueueAt = 56;
const sendQueueAt = 60;
const uidAt = 64;
// SK_MEMINFO_DROPS is the ninth u32 (include/uapi/linux/sock_diag.h); kernels before 4.7 do not send it.
const dropsAt = 8 * 4;

const addProgram = (bytes: Uint8Array, at: number, program: readonly number[]): void => {
  if (program.length === 0) return;
  viewOf(bytes).setUint16(at, 4 + program.length, true);
  viewOf(bytes).setUint16(at + 2, INET_DIAG_REQ_BYTECODE, true);
  bytes.set(program, at + 4);
};

const bytesOf = (program: readonly number[]): number => (program.length > 0 ? 4 + program.length : 0);

const request = (family: IpFamily, state: number, extensions: number, program: readonly number[] = []): Uint8Array => {
  const bytes = dumpRequest(SOCK_DIAG_BY_FAMILY, requestBytes + bytesOf(program));
  bytes[16] = addressFamilies[family];
  bytes[17] = IPPROTO_TCP;
  bytes[18] = extensions;
  viewOf(bytes).setUint32(20, 1 << state, true);
  bytes.fill(0xff, 64, requestBytes); // INET_DIAG_NOCOOKIE: not one socket, all of them
  addProgram(bytes, requestBytes, program);
  return bytes;
};

const memory = 1 << (INET_DIAG_SKMEMINFO - 1);

/**
 * A request for all listening TCP sockets of both families, or those of these listeners (at least one), with their
 * drops: see parseInetDiag. It is of the kind before sock_diag, which has no family (inet_diag_rcv_msg_compat in
 * net/ipv4/inet_diag.c). Linux has it since 2.6.14, and answers rows of the same form.
 */
export const bothListenRequest = (only?: readonly ListenAddress[]): Uint8Array => {
  const program = only ? filterProgram(only) : [];
  const bytes = dumpRequest(TCPDIAG_GETSOCK, oldRequestBytes + bytesOf(program));
  bytes[19] = memory;
  bytes.fill(0xff, 60, 68); // INET_DIAG_NOCOOKIE
  viewOf(bytes).setUint32(68, 1 << TCP_LISTEN, true);
  addProgram(bytes, oldRequestBytes, program);
  return bytes;
};

/**
 * A request for all listening TCP sockets of a family, or those of these listeners of that family (at least one), with
 * their drops: see parseInetDiag.
 */
export const listenRequest = (family: IpFamily, only?: readonly ListenAddress[]): Uint8Array =>
  request(family, TCP_LISTEN, memory, only && filterProgram(only));

/**
 * A request for all half-open TCP connections of a family, which are the SYN queues: see parseSynRecv. The kernel walks
 * its whole table of connections for this one.
 */
export const synRecvRequest = (family: IpFamily): Uint8Array => request(family, TCP_SYN_RECV, 0);

/** Rows have the type of the request. */
const isRow = (type: number): boolean => type === SOCK_DIAG_BY_FAMILY || type === TCPDIAG_GETSOCK;

const checkRow = (view: DataView, { type, start, end }: NetlinkMessage, state: number): void => {
  if (!isRow(type)) throw new ParseError('a row of sock_diag', `a message of type ${type}`);
  if (end - start < rowBytes) throw new ParseError(`a row of ${rowBytes} bytes`, `${end - start} bytes`);
  const found = view.getUint8(start + stateAt);
  if (found !== state) throw new ParseError(`a socket in state ${state}`, `state ${found}`);
};

const familyIfAny = (view: DataView, start: number): IpFamily | undefined => {
  const family = view.getUint8(start);
  if (family === addressFamilies.ipv4) return 'ipv4';
  return family === addressFamilies.ipv6 ? 'ipv6' : undefined;
};

const familyOf = (view: DataView, start: number): IpFamily => {
  const family = familyIfAny(view, start);
  if (family) return family;
  throw new ParseError('a socket of AF_INET or AF_INET6', `family ${view.getUint8(start)}`);
};

const localAddress = (bytes: Uint8Array, view: DataView, start: number, family: IpFamily): string => {
  const at = start + addressAt;
  const isFirstWordZero = view.getUint32(at) === 0;
  if (family === 'ipv4') return isFirstWordZero ? '0.0.0.0' : formatIpv4(bytes, at);
  const isZero =
    isFirstWordZero && view.getUint32(at + 4) === 0 && view.getUint32(at + 8) === 0 && view.getUint32(at + 12) === 0;
  return isZero ? '::' : formatIpv6(bytes, at);
};

const addAttributes = (listener: ListenerSocket, view: DataView, start: number, end: number): void => {
  let at = start;
  while (hasAttribute(at, end)) {
    const length = attributeLength(view, at, end);
    const payload = at + 4;
    const payloadBytes = length - 4;
    const type = attributeType(view, at);
    if (type === INET_DIAG_SKMEMINFO && payloadBytes >= dropsAt + 4) {
      listener.drops = view.getUint32(payload + dropsAt, true);
    }
    if (type === INET_DIAG_CGROUP_ID) {
      if (payloadBytes < 8) throw new ParseError('a cgroup id of 8 bytes', `${payloadBytes} bytes`);
      listener.cgroupId = getUint64(view, payload);
    }
    at += aligned(length);
  }
};

const parseListener = (bytes: Uint8Array, view: DataView, message: NetlinkMessage): ListenerSocket => {
  checkRow(view, message, TCP_LISTEN);
  const { start, end } = message;
  const family = familyOf(view, start);
  const listener: ListenerSocket = {
    family,
    address: localAddress(bytes, view, start, family),
    port: view.getUint16(start + portAt),
    queueLength: view.getUint32(start + receiveQueueAt, true),
    queueLimit: view.getUint32(start + sendQueueAt, true),
    id: getUint64(view, start + cookieAt),
    uid: view.getUint32(start + uidAt, true),
  };
  addAttributes(listener, view, start + rowBytes, end);
  return listener;
};

/** Listeners as a dump shows them. */
export interface InetDiagDump {
  readonly sockets: ListenerSocket[];
  readonly interrupted: boolean;
}

/**
 * The kernel's answer to listenRequest (net/ipv4/inet_diag.c, inet_sk_diag_fill; for listeners tcp_diag_get_info in
 * tcp_diag.c puts the accept queue and its limit where other sockets have their receive and send queues). Throws
 * ParseError, NetlinkError.
 */
export const parseInetDiag = (bytes: Uint8Array): InetDiagDump => {
  const view = viewOf(bytes);
  const { messages, interrupted } = parseDump(bytes);
  return { sockets: messages.map((message) => parseListener(bytes, view, message)), interrupted };
};

const wordsOf = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length / 4);

/**
 * Parses one dump of the same listeners after another. Most rows stay as they were: these cost a comparison, and their
 * sockets are the same objects.
 */
export class InetDiagDumps {
  /** A copy of the last dump, and where its rows are. */
  #bytes = new Uint8Array(0);
  #messages: readonly NetlinkMessage[] = [];
  #dump: InetDiagDump = { sockets: [], interrupted: false };

  /** As parseInetDiag. Returns the same object if nothing has changed. */
  parse(bytes: Uint8Array): InetDiagDump {
    if (bytes.length === 0 || bytes.length !== this.#bytes.length || !this.#parseChanges(bytes)) this.#parseAll(bytes);
    return this.#dump;
  }

  #parseAll(bytes: Uint8Array): void {
    const copy = Uint8Array.from(bytes);
    this.#bytes = new Uint8Array(0); // A dump that cannot be parsed is not compared with.
    const view = viewOf(copy);
    const { messages, interrupted } = parseDump(copy);
    this.#dump = { sockets: messages.map((message) => parseListener(copy, view, message)), interrupted };
    this.#messages = messages;
    this.#bytes = copy;
  }

  /** False if more has changed than what the rows of the same sockets say of queues, users and memory. */
  #parseChanges(bytes: Uint8Array): boolean {
    if (Buffer.compare(bytes, this.#bytes) === 0) return true;
    if (bytes.byteOffset % 4 !== 0 || bytes.length % 4 !== 0) return false;
    const changed = this.#changedRows(wordsOf(bytes), wordsOf(this.#bytes));
    if (changed === undefined) return false;
    const view = viewOf(bytes);
    const sockets = [...this.#dump.sockets];
    for (const row of changed) sockets[row] = parseListener(bytes, view, this.#messages[row]!);
    this.#bytes.set(bytes);
    this.#dump = { sockets, interrupted: this.#dump.interrupted };
    return true;
  }

  /** The numbers of the rows that differ; undefined if something else does too: a header, or which socket it is. */
  #changedRows(now: Uint32Array, before: Uint32Array): number[] | undefined {
    const changed: number[] = [];
    let row = 0;
    for (let at = 0; at < now.length; at += 1) {
      if (now[at] === before[at]) continue;
      while (row < this.#messages.length && this.#messages[row]!.end <= at * 4) row += 1;
      const message = this.#messages[row];
      if (message === undefined || at * 4 < message.start + receiveQueueAt) return undefined;
      changed.push(row);
      at = Math.ceil(message.end / 4) - 1;
    }
    return changed;
  }
}

/** A listener of a piece of a dump, before it is parsed. `address` is to be called at once. */
export interface UnparsedListener {
  readonly family: IpFamily;
  readonly port: number;
  readonly uid: number;
  address(): string;
}

/**
 * Moves the listeners that `isKept` holds for to the beginning of a piece of the kernel's answer to a request for
 * listeners, with all that is no listener. Returns how many bytes are left.
 */
export const keepListeners = (piece: Uint8Array, isKept: (listener: UnparsedListener) => boolean): number => {
  const view = viewOf(piece);
  return keepMessages(piece, ({ type, start, end }) => {
    if (!isRow(type) || end - start < rowBytes) return true;
    const family = familyIfAny(view, start);
    if (family === undefined) return true;
    const address = (): string => localAddress(piece, view, start, family);
    return isKept({ family, port: view.getUint16(start + portAt), uid: view.getUint32(start + uidAt, true), address });
  });
};

/**
 * One half-open connection, by its own end: the address that the SYN was sent to, where its listener may have a
 * wildcard. A connection of an IPv4 client to a dual-stack listener is `ipv6`, its address `::ffff:192.0.2.1`.
 */
export interface SynRecvSocket {
  family: IpFamily;
  address: string;
  port: number;
}

/**
 * The kernel's answer to synRecvRequest (net/ipv4/inet_diag.c, inet_req_diag_fill). Throws ParseError, NetlinkError.
 */
export const parseSynRecv = (bytes: Uint8Array): { sockets: SynRecvSocket[]; interrupted: boolean } => {
  const view = viewOf(bytes);
  const { messages, interrupted } = parseDump(bytes);
  const sockets: SynRecvSocket[] = [];
  for (const message of messages) {
    checkRow(view, message, TCP_SYN_RECV);
    const { start } = message;
    const family = familyOf(view, start);
    sockets.push({ family, address: localAddress(bytes, view, start, family), port: view.getUint16(start + portAt) });
  }
  return { sockets, interrupted };
};
