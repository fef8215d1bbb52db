import type { IpFamily } from './ip-address.ts';

/** A listening TCP socket from sock_diag or /proc/net/tcp. With SO_REUSEPORT several share an address and port. */
export interface ListenerSocket {
  /** The socket's own family. A dual-stack listener is `ipv6`. */
  family: IpFamily;
  /** Local address without a bound device; `0.0.0.0` or `::` for all. */
  address: string;
  /** Local port. */
  port: number;
  /** Connections waiting for accept() (sk_ack_backlog). Gauge. */
  queueLength: number;
  /**
   * min(backlog of listen(), net.core.somaxconn) at the time of listen() (sk_max_ack_backlog). A full queue holds one
   * more than this, because sk_acceptq_is_full compares with ">". Absent if the source lacks it: /proc/net/tcp.
   */
  queueLimit?: number;
  /**
   * SYNs and handshakes dropped since the socket's creation (sk_drops). Counter, u32: wraps. Absent if the source lacks
   * it.
   */
  drops?: number;
  /**
   * Distinguishes sockets with the same address and port. The cookie (sock_diag), unique until the next boot, or the
   * inode number (/proc/net/tcp), which may be reused.
   */
  id: number;
  /** User who created the socket, as a number of our own user namespace. Absent if the source lacks it. */
  uid?: number;
  /**
   * Inode number of the socket's cgroup v2 directory. Absent if the source lacks it (sock_diag has it since Linux 5.8).
   */
  cgroupId?: number;
}
