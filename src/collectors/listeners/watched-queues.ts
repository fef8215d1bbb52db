import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Clock } from '../../host/clock.ts';
import { AcceptQueues } from './accept-queues.ts';

/** The accept queues of one network namespace, with the time of the last sample of them. */
export class WatchedQueues {
  /** The value of the label `netns`. */
  readonly netns: string;
  /** The tenant that owns the namespace; each has a fair share. */
  readonly tenant: string;
  readonly queues = new AcceptQueues();
  readonly #clock: Clock;
  #sampledAt: number | undefined;

  constructor({ netns, tenant }: { netns: string; tenant: string }, clock: Clock) {
    this.netns = netns;
    this.tenant = tenant;
    this.#clock = clock;
  }

  /** Takes a sample, which stands for the time since the last one. What `read` throws it throws; undefined where nothing can be read. */
  sample(read: () => readonly ListenerSocket[] | undefined): void {
    const last = this.#sampledAt;
    this.#sampledAt = undefined;
    const readings = read();
    if (readings === undefined) return;
    this.#sampledAt = this.#clock.monotonicSeconds();
    // The first sample, and the first after one that failed, stands for no time that we know of.
    this.queues.sample(readings, this.#sampledAt, last === undefined ? 0 : this.#sampledAt - last);
  }
}
