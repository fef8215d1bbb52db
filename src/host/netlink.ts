import { EAGAIN, loadLibc, SOCK_CLOEXEC, socketCalls, type Libc, type SocketCalls } from './libc.ts';
import { openNamespaceEntry, type NamespaceEntry } from './enter-namespace.ts';
import { NetlinkUnavailable } from './netlink-error.ts';

export { NamespaceRefused, NetlinkUnavailable } from './netlink-error.ts';

/** Netlink protocols that the product speaks (include/uapi/linux/netlink.h). */
const netlinkProtocols = { route: 0, sockDiag: 4 } as const;
export type NetlinkProtocol = keyof typeof netlinkProtocols;

/**
 * Another network namespace, in which a socket of sock_diag is open. The socket keeps the namespace alive: close it
 * when nobody else is in there.
 */
export interface EnteredNamespace {
  /** False once it was closed, by us or because an exchange failed. */
  readonly isOpen: boolean;
  close(): void;
}

/**
 * Moves what is wanted of a piece of a dump, which has whole messages, to its beginning; returns how many bytes that
 * are.
 */
export type Keep = (piece: Uint8Array) => number;

/** The kernel's netlink sockets, as far as we need them: ask for a dump, get the bytes of all its messages. */
export interface Netlink {
  /**
   * Sends one dump request and returns everything that the kernel answers, messages one behind another, in a shared
   * buffer: use the bytes before the next exchange. With `keep`, what that keeps of each piece. Throws
   * NetlinkUnavailable.
   */
  exchange(protocol: NetlinkProtocol, request: Uint8Array, keep?: Keep): Uint8Array;
  /** The same of sock_diag in another network namespace. Throws NetlinkUnavailable, which closes the namespace. */
  exchangeIn(namespace: EnteredNamespace, request: Uint8Array, keep?: Keep): Uint8Array;
  /**
   * Opens a socket of sock_diag in the network namespace that `file` shows (`/proc/PID/ns/net`), if that is the one
   * with this inode number: the process may have gone, and its PID be another's. Throws NamespaceRefused where we may
   * not, NetlinkUnavailable for anything else.
   */
  enter(file: string, inode: number): EnteredNamespace;
  /** Closes the sockets; those in other namespaces are closed one by one. */
  close(): void;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const MSG_DONTWAIT = 0x40;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
// The kernel fills at most 32 KiB per piece of a dump (netlink_dump in net/netlink/af_netlink.c).
const pieceBytes = 32 << 10;
// One call receives at most this many pieces. A dump of a few sockets is two pieces: the kernel puts NLMSG_DONE into
// one of its own.
const piecesPerCall = 4;
const maxReplyBytes = 64 << 20;

// struct mmsghdr on 64-bit machines: struct msghdr, in which the pointer to struct iovec and their number are at 16 and
// 24, then the received length at 56.
const messageHeaderBytes = 64;
const lengthAt = 56;
const vectorBytes = 16;

/** Where recvmmsg(2) puts the pieces of a dump. */
interface Landing {
  /** struct mmsghdr of each piece. */
  readonly headers: Buffer;
  /** Targets of the pointers in `headers`, which must live as long. */
  readonly vectors: Buffer;
  readonly pieces: readonly Buffer[];
}

const makeLanding = ({ addressOf }: Pick<Libc, 'addressOf'>): Landing => {
  const headers = Buffer.alloc(piecesPerCall * messageHeaderBytes);
  const vectors = Buffer.alloc(piecesPerCall * vectorBytes);
  const memory = Buffer.allocUnsafeSlow(piecesPerCall * pieceBytes);
  const pieces: Buffer[] = [];
  for (let i = 0; i < piecesPerCall; i += 1) {
    vectors.writeBigUInt64LE(addressOf(memory) + BigInt(i * pieceBytes), i * vectorBytes);
    vectors.writeBigUInt64LE(BigInt(pieceBytes), i * vectorBytes + 8);
    headers.writeBigUInt64LE(addressOf(vectors) + BigInt(i * vectorBytes), i * messageHeaderBytes + 16);
    headers.writeBigUInt64LE(1n, i * messageHeaderBytes + 24);
    pieces.push(memory.subarray(i * pieceBytes, (i + 1) * pieceBytes));
  }
  return { headers, vectors, pieces };
};

/** Whether no piece follows this one: its last message is NLMSG_DONE, or an error in place of a dump. */
const isLastPiece = (piece: Buffer): boolean => {
  let type = 0;
  for (let at = 0; at + 16 <= piece.length;) {
    const length = piece.readUInt32LE(at);
    if (length < 16) return false;
    type = piece.readUInt16LE(at + 4);
    at += (length + 3) & ~3;
  }
  return type === NLMSG_DONE || type === NLMSG_ERROR;
};

/** Loads the system calls. Throws NetlinkUnavailable where the add-on cannot be loaded. */
export const openNetlink = async (): Promise<Netlink> => {
  const libc = await loadCalls();
  const sockets = new Map<NetlinkProtocol, number>();
  const inNamespaces = new WeakMap<EnteredNamespace, number>();
  let door: NamespaceEntry | undefined;
  const landing = makeLanding(libc);
  let reply = Buffer.allocUnsafeSlow(piecesPerCall * pieceBytes);

  const failed = (call: string): NetlinkUnavailable => {
    const errno = libc.errno();
    return new NetlinkUnavailable(`netlink ${call}: ${libc.errorName(errno)}`);
  };

  const openSocket = (protocol: NetlinkProtocol): number => {
    const socket = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, netlinkProtocols[protocol]);
    if (socket < 0) throw failed(`socket (protocol ${protocol})`);
    return socket;
  };

  const socketOf = (protocol: NetlinkProtocol): number => {
    const socket = sockets.get(protocol) ?? openSocket(protocol);
    sockets.set(protocol, socket);
    return socket;
  };

  const closeSocket = (protocol: NetlinkProtocol): void => {
    const socket = sockets.get(protocol);
    if (socket === undefined) return;
    sockets.delete(protocol);
    libc.close(socket);
  };

  const dump = (socket: number, request: Uint8Array, keep?: Keep): Uint8Array => {
    if (libc.send(socket, request, request.length, MSG_DONTWAIT) < 0) throw failed('send');
    // The kernel makes the first piece of a dump within send and each next one when one is received.
    let length = 0;
    for (;;) {
      const received = libc.recvmmsg(socket, landing.headers, piecesPerCall, MSG_DONTWAIT, null);
      // An answer that does not end as a dump does is over when there is no more of it.
      if (received < 0 && libc.errno() === EAGAIN) return reply.subarray(0, length);
      if (received < 0) throw failed('recvmmsg');
      if (reply.length - length < received * pieceBytes) reply = Buffer.concat([reply], reply.length * 2);
      for (let i = 0; i < received; i += 1) {
        const pieceLength = landing.headers.readUInt32LE(i * messageHeaderBytes + lengthAt);
        const piece = landing.pieces[i]!.subarray(0, pieceLength);
        const isLast = isLastPiece(piece);
        const kept = keep ? keep(piece) : pieceLength;
        reply.set(kept === pieceLength ? piece : piece.subarray(0, kept), length);
        length += kept;
        if (isLast) return reply.subarray(0, length);
      }
      if (length > maxReplyBytes) throw new NetlinkUnavailable(`netlink recvmmsg: more than ${maxReplyBytes} bytes`);
    }
  };

  /** The unread rest of a failed dump would look like the answer to the next request, so the socket is closed. */
  const closingOnFailure = (dumped: () => Uint8Array, close: () => void): Uint8Array => {
    try {
      return dumped();
    } catch (error) {
      close();
      throw error;
    }
  };

  return {
    exchange: (protocol, request, keep) =>
      closingOnFailure(
        () => dump(socketOf(protocol), request, keep),
        () => closeSocket(protocol),
      ),
    exchangeIn: (namespace, request, keep) => {
      const socket = inNamespaces.get(namespace);
      if (socket === undefined) throw new NetlinkUnavailable('netlink: this network namespace is closed');
      return closingOnFailure(
        () => dump(socket, request, keep),
        () => namespace.close(),
      );
    },
    enter: (file, inode) => {
      door ??= openNamespaceEntry(libc);
      const socket = door.inside(file, inode, () => openSocket('sockDiag'));
      const namespace: EnteredNamespace = {
        get isOpen() {
          return inNamespaces.has(namespace);
        },
        close: () => {
          if (inNamespaces.delete(namespace)) libc.close(socket);
        },
      };
      inNamespaces.set(namespace, socket);
      return namespace;
    },
    close: () => {
      for (const protocol of [...sockets.keys()]) closeSocket(protocol);
      door?.close();
      door = undefined;
    },
  };
};

/** The netlink of a machine where it cannot be spoken: every exchange fails with `reason`. */
export const noNetlink = (reason: string): Netlink => {
  const refuse = (): never => {
    throw new NetlinkUnavailable(reason);
  };
  return { exchange: refuse, exchangeIn: refuse, enter: refuse, close: () => {} };
};

/** Also setns(2) and recvmmsg(2). */
interface Calls extends SocketCalls, Pick<Libc, 'addressOf'> {
  setns(file: number, kind: number): number;
  recvmmsg(socket: number, headers: Uint8Array, length: number, flags: number, timeout: null): number;
}

const loadCalls = async (): Promise<Calls> => {
  try {
    const libc = await loadLibc();
    return {
      ...socketCalls(libc),
      addressOf: libc.addressOf,
      setns: libc.func('int setns(int, int)'),
      recvmmsg: libc.func('int recvmmsg(int, void *, unsigned int, int, void *)'),
    };
  } catch (error) {
    throw new NetlinkUnavailable(`cannot load the system calls: ${(error as Error).message}`);
  }
};
