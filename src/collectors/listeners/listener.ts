import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Histogram } from '../../metrics/histogram.ts';

/** A listening address and port. Values are sums over its sockets, because SO_REUSEPORT allows several. */
export interface Listener {
  readonly family: ListenerSocket['family'];
  readonly address: string;
  readonly port: number;
  /** Sockets that listen now. */
  sockets: number;
  queueLength: number;
  queueLimit: number | undefined;
  /** length / (limit + 1) of the fullest socket: the queue holds one more than its limit. */
  maxFill: number | undefined;
  cgroupId: number | undefined;
  /** The lowest user id of its sockets. */
  uid: number | undefined;
  readonly isLoopback: boolean;
  /** The id of the first socket that we knew: the smaller, the older. */
  readonly firstId: number;
  /** Whether it ever had drops or a connection in its queue. */
  wasBusy: boolean;
  /** The sums over its sockets are to be made again. */
  isStale: boolean;
  /** Counters since we know it; they go on when a server is restarted. */
  drops: number | undefined;
  connectionSeconds: number;
  fullSeconds: number;
  dequeued: number;
  readonly fill: Histogram;
}
