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
const SOCK_DIAG_BY_FAMILY = 20;
const IPPROTO_TCP = 6;
const TCP_SYN_RECV = 3;
const TCP_LISTEN = 10;
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_SKMEMINFO = 7;
const INET_DIAG_CGROUP_ID = 21;

// nlmsghdr and struct inet_diag_req_v2
const requestBytes = 72;
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

const request = (family: IpFamily, state: number, extensions: number, program: readonly number[] = []): Uint8Array => {
  const attributeBytes = program.length > 0 ? 4 + program.length : 0;
  const bytes = dumpRequest(SOCK_DIAG_BY_FAMILY, requestBytes + attributeBytes);
  bytes[16] = addressFamilies[family];
  bytes[17] = IPPROTO_TCP;
  bytes[18] = extensions;
  viewOf(bytes).setUint32(20, 1 << state, true);
  bytes.fill(0xff, 64, requestBytes); // INET_DIAG_NOCOOKIE: not one socket, all of them
  if (attributeBytes === 0) return bytes;
  viewOf(bytes).setUint16(requestBytes, attributeBytes, true);
  viewOf(bytes).setUint16(requestBytes + 2, INET_DIAG_REQ_BYTECODE, true);
  bytes.set(program, requestBytes + 4);
  return bytes;
};

/** A request for all listening TCP sockets of a family, or those of these listeners of that family (at least one), with their drops: see parseInetDiag. */
export const listenRequest = (family: IpFamily, only?: readonly ListenAddress[]): Uint8Array =>
  request(family, TCP_LISTEN, 1 << (INET_DIAG_SKMEMINFO - 1), only && filterProgram(only));

/**
 * A request for all half-open TCP connections of a family, which are the SYN queues: see parseSynRecv. The kernel walks its whole table of
 * connections for this one.
 */
export const synRecvRequest = (family: IpFamily): Uint8Array => request(family, TCP_SYN_RECV, 0);

const checkRow = (view: DataView, { type, start, end }: NetlinkMessage, state: number): void => {
  if (type !== SOCK_DIAG_BY_FAMILY) throw new ParseError('a row of sock_diag', `a message of type ${type}`);
  if (end - start < rowBytes) throw new ParseError(`a row of ${rowBytes} bytes`, `${end - start} bytes`);
  const found = view.getUint8(start + stateAt);
  if (found !== state) throw new ParseError(`a socket in state ${state}`, `state ${found}`);
};

const familyOf = (view: DataView, start: number): IpFamily => {
  const family = view.getUint8(start);
  if (family === addressFamilies.ipv4) return 'ipv4';
  if (family === addressFamilies.ipv6) return 'ipv6';
  throw new ParseError('a socket of AF_INET or AF_INET6', `family ${family}`);
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

/**
 * The kernel's answer to listenRequest (net/ipv4/inet_diag.c, inet_sk_diag_fill; for listeners tcp_diag_get_info in tcp_diag.c puts the
 * accept queue and its limit where other sockets have their receive and send queues). Throws ParseError, NetlinkError.
 */
export const parseInetDiag = (bytes: Uint8Array): { sockets: ListenerSocket[]; interrupted: boolean } => {
  const view = viewOf(bytes);
  const { messages, interrupted } = parseDump(bytes);
  const sockets: ListenerSocket[] = [];
  for (const message of messages) {
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
    sockets.push(listener);
  }
  return { sockets, interrupted };
};

/**
 * Moves the listeners that `isKept` holds for, by their users, addresses and ports, to the beginning of a piece of the kernel's answer to listenRequest, with
 * all that is no listener. Returns how many bytes are left. `addressOf` is to be called within `isKept`.
 */
export const keepListeners = (
  piece: Uint8Array,
  isKept: (uid: number, port: number, addressOf: () => string) => boolean,
): number => {
  const view = viewOf(piece);
  let row = 0;
  const addressOf = (): string => localAddress(piece, view, row, familyOf(view, row));
  return keepMessages(piece, ({ type, start, end }) => {
    if (type !== SOCK_DIAG_BY_FAMILY || end - start < rowBytes) return true;
    row = start;
    return isKept(view.getUint32(start + uidAt, true), view.getUint16(start + portAt), addressOf);
  });
};

/**
 * One half-open connection, by its own end: the address that the SYN was sent to, where its listener may have a wildcard. A connection of
 * an IPv4 client to a dual-stack listener is `ipv6`, its address `::ffff:192.0.2.1`.
 */
export interface SynRecvSocket {
  family: IpFamily;
  address: string;
  port: number;
}

/** The kernel's answer to synRecvRequest (net/ipv4/inet_diag.c, inet_req_diag_fill). Throws ParseError, NetlinkError. */
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
