import { EAGAIN, loadLibc, SOCK_CLOEXEC, socketCalls, type SocketCalls } from './libc.ts';
import { openNamespaceEntry, type NamespaceEntry } from './enter-namespace.ts';
import { NetlinkUnavailable } from './netlink-error.ts';

export { NamespaceRefused, NetlinkUnavailable } from './netlink-error.ts';

/** Netlink protocols that the product speaks (include/uapi/linux/netlink.h). */
const netlinkProtocols = { route: 0, sockDiag: 4 } as const;
export type NetlinkProtocol = keyof typeof netlinkProtocols;

/** Another network namespace, in which a socket of sock_diag is open. The socket keeps the namespace alive: close it when nobody else is in there. */
export interface EnteredNamespace {
  /** False once it was closed, by us or because an exchange failed. */
  readonly isOpen: boolean;
  close(): void;
}

/** Moves what is wanted of a piece of a dump, which has whole messages, to its beginning; returns how many bytes that are. */
export type Keep = (piece: Uint8Array) => number;

/** The kernel's netlink sockets, as far as we need them: ask for a dump, get the bytes of all its messages. */
export interface Netlink {
  /**
   * Sends one dump request and returns everything that the kernel answers, messages one behind another, in a shared buffer: use the bytes
   * before the next exchange. With `keep`, what that keeps of each piece. Throws NetlinkUnavailable.
   */
  exchange(protocol: NetlinkProtocol, request: Uint8Array, keep?: Keep): Uint8Array;
  /** The same of sock_diag in another network namespace. Throws NetlinkUnavailable, which closes the namespace. */
  exchangeIn(namespace: EnteredNamespace, request: Uint8Array, keep?: Keep): Uint8Array;
  /**
   * Opens a socket of sock_diag in the network namespace that `file` shows (`/proc/PID/ns/net`), if that is the one with this inode number: the
   * process may have gone, and its PID be another's. Throws NamespaceRefused where we may not, NetlinkUnavailable for anything else.
   */
  enter(file: string, inode: number): EnteredNamespace;
  /** Closes the sockets; those in other namespaces are closed one by one. */
  close(): void;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const MSG_DONTWAIT = 0x40;
// The kernel fills at most 32 KiB per message buffer of a dump (netlink_dump in net/netlink/af_netlink.c).
const receiveBytes = 64 << 10;
const maxReplyBytes = 64 << 20;

/** Loads the system calls. Throws NetlinkUnavailable where the add-on cannot be loaded. */
export const openNetlink = async (): Promise<Netlink> => {
  const libc = await loadCalls();
  const sockets = new Map<NetlinkProtocol, number>();
  const inNamespaces = new WeakMap<EnteredNamespace, number>();
  let door: NamespaceEntry | undefined;
  let reply = Buffer.allocUnsafeSlow(receiveBytes);

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

  const dump = (socket: number, request: Uint8Array, keep: Keep = ({ length }) => length): Uint8Array => {
    if (libc.send(socket, request, request.length, MSG_DONTWAIT) < 0) throw failed('send');
    // The kernel makes the first part of a dump within send and each next one within recv: when recv would wait, the dump is over.
    let length = 0;
    for (;;) {
      if (reply.length - length < receiveBytes) reply = Buffer.concat([reply], reply.length * 2);
      const received = libc.recv(socket, reply.subarray(length), reply.length - length, MSG_DONTWAIT);
      if (received < 0 && libc.errno() === EAGAIN) return reply.subarray(0, length);
      if (received < 0) throw failed('recv');
      length += keep(reply.subarray(length, length + received));
      if (length > maxReplyBytes) throw new NetlinkUnavailable(`netlink recv: more than ${maxReplyBytes} bytes`);
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

/** Also that of setns(2). */
interface Calls extends SocketCalls {
  setns(file: number, kind: number): number;
}

const loadCalls = async (): Promise<Calls> => {
  try {
    const libc = await loadLibc();
    return { ...socketCalls(libc), setns: libc.func('int setns(int, int)') };
  } catch (error) {
    throw new NetlinkUnavailable(`cannot load the system calls: ${(error as Error).message}`);
  }
};
