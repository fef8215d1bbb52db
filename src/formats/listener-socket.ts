import type { IpFamily } from './ip-address.ts';

/** One listening TCP socket, as sock_diag or /proc/net/tcp show it. SO_REUSEPORT gives several with one address and port. */
export interface ListenerSocket {
  /** The socket's own family: a dual-stack listener is `ipv6`. */
  family: IpFamily;
  /** Local address without the device it may be bound to; `0.0.0.0` or `::` for all. */
  address: string;
  /** Local port. */
  port: number;
  /** Connections that wait for accept() (sk_ack_backlog). Gauge. */
  queueLength: number;
  /**
   * min(backlog of listen(), net.core.somaxconn) at the time of listen() (sk_max_ack_backlog). The queue is full when it holds one more
   * than this: sk_acceptq_is_full compares with ">". Absent where the source cannot say: /proc/net/tcp.
   */
  queueLimit?: number;
  /** SYNs and handshakes dropped since the socket was made (sk_drops). Counter, u32: wraps. Absent where the source cannot say. */
  drops?: number;
  /**
   * Tells this socket from one that has the same address and port: its cookie (sock_diag), which is never used again until the next boot,
   * or its inode number (/proc/net/tcp), which may be.
   */
  id: number;
  /** The user who made the socket, as a number of our own user namespace. Absent where the source cannot say. */
  uid?: number;
  /** Inode number of the socket's cgroup v2 directory. Absent where the source cannot say (sock_diag can since Linux 5.8). */
  cgroupId?: number;
}
