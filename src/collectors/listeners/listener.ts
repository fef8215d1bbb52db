import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Histogram } from '../../metrics/histogram.ts';

/** What is known of an address and port that is listened on: the sums over its sockets, of which SO_REUSEPORT allows several. */
export interface Listener {
  readonly family: ListenerSocket['family'];
  readonly address: string;
  readonly port: number;
  /** Of this moment. */
  sockets: number;
  queueLength: number;
  queueLimit: number | undefined;
  /** length / (limit + 1) of the fullest socket: the queue holds one more than its limit. */
  maxFill: number | undefined;
  cgroupId: number | undefined;
  /** The lowest of its sockets. */
  uid: number | undefined;
  readonly isLoopback: boolean;
  /** The id of the first socket that we knew: the smaller, the older. */
  readonly firstId: number;
  /** Whether it ever had drops or a connection in its queue. */
  wasBusy: boolean;
  /** Counters since we know it; they go on when a server is restarted. */
  drops: number | undefined;
  connectionSeconds: number;
  fullSeconds: number;
  dequeued: number;
  readonly fill: Histogram;
}
