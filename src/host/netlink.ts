import { EAGAIN, loadSocketCalls, SOCK_CLOEXEC, type SocketCalls } from './libc.ts';

/** Netlink protocols that the product speaks (include/uapi/linux/netlink.h). */
export const netlinkProtocols = { route: 0, sockDiag: 4 } as const;
export type NetlinkProtocol = keyof typeof netlinkProtocols;

/** Netlink that cannot be spoken here, or a call of its that failed; the message says which and why. */
export class NetlinkUnavailable extends Error {
  override readonly name = 'NetlinkUnavailable';
}

/** The kernel's netlink sockets, as far as we need them: ask for a dump, get the bytes of all its messages. */
export interface Netlink {
  /**
   * Sends one dump request and returns everything that the kernel answers, messages one behind another, in a shared buffer: use the bytes
   * before the next exchange. Throws NetlinkUnavailable.
   */
  exchange(protocol: NetlinkProtocol, request: Uint8Array): Uint8Array;
  /** Closes the sockets. */
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
  let reply = Buffer.allocUnsafeSlow(receiveBytes);

  const failed = (call: string): NetlinkUnavailable => {
    const errno = libc.errno();
    return new NetlinkUnavailable(`netlink ${call}: ${libc.errorName(errno)}`);
  };

  const socketOf = (protocol: NetlinkProtocol): number => {
    const open = sockets.get(protocol);
    if (open !== undefined) return open;
    const socket = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, netlinkProtocols[protocol]);
    if (socket < 0) throw failed(`socket (protocol ${protocol})`);
    sockets.set(protocol, socket);
    return socket;
  };

  const closeSocket = (protocol: NetlinkProtocol): void => {
    const socket = sockets.get(protocol);
    if (socket === undefined) return;
    sockets.delete(protocol);
    libc.close(socket);
  };

  return {
    exchange: (protocol, request) => {
      const socket = socketOf(protocol);
      try {
        if (libc.send(socket, request, request.length, MSG_DONTWAIT) < 0) throw failed('send');
        // The kernel makes the first part of a dump within send and each next one within recv: when recv would wait, the dump is over.
        let length = 0;
        for (;;) {
          if (reply.length - length < receiveBytes) reply = Buffer.concat([reply], reply.length * 2);
          const received = libc.recv(socket, reply.subarray(length), reply.length - length, MSG_DONTWAIT);
          if (received < 0 && libc.errno() === EAGAIN) return reply.subarray(0, length);
          if (received < 0) throw failed('recv');
          length += received;
          if (length > maxReplyBytes) throw new NetlinkUnavailable(`netlink recv: more than ${maxReplyBytes} bytes`);
        }
      } catch (error) {
        closeSocket(protocol);
        throw error;
      }
    },
    close: () => {
      for (const protocol of [...sockets.keys()]) closeSocket(protocol);
    },
  };
};

/** The netlink of a machine where it cannot be spoken: every exchange fails with `reason`. */
export const noNetlink = (reason: string): Netlink => ({
  exchange: () => {
    throw new NetlinkUnavailable(reason);
  },
  close: () => {},
});

const loadCalls = async (): Promise<SocketCalls> => {
  try {
    return await loadSocketCalls();
  } catch (error) {
    throw new NetlinkUnavailable(`cannot load the system calls: ${(error as Error).message}`);
  }
};
