import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Clock } from '../../host/clock.ts';
import { AcceptQueues } from './accept-queues.ts';
import { byImportance } from './importance.ts';
import type { Listener } from './listener.ts';

// If a sample of all sockets costs more CPU time than this, half of the time goes to samples of the most important listeners alone, which have this many
// sockets at most. Any user can make thousands, and would make samples rare for all.
const dearSeconds = 0.002;
const fewSockets = 64;

const mostImportant = (listeners: readonly Listener[]): Listener[] => {
  let room = fewSockets;
  return byImportance(listeners, (listener) => listener).filter(({ sockets }) => {
    const hasRoom = sockets <= room;
    if (hasRoom) room -= sockets;
    return hasRoom;
  });
};

/** The accept queues of one network namespace, with the times of the last samples of them. */
export class WatchedQueues {
  /** The value of the label `netns`. */
  readonly netns: string;
  /** The tenant that owns the namespace; each has a fair share. */
  readonly tenant: string;
  readonly queues = new AcceptQueues();
  readonly #clock: Clock;
  #sampledAt: number | undefined;
  #allSampledAt: number | undefined;
  /** The most important listeners, if a sample of all is dear. */
  #few: readonly Listener[] = [];
  /** CPU time in seconds that is left for samples of these, before all listeners are sampled again. */
  #left = 0;

  constructor({ netns, tenant }: { netns: string; tenant: string }, clock: Clock) {
    this.netns = netns;
    this.tenant = tenant;
    this.#clock = clock;
  }

  /**
   * Takes a sample, which stands for the time since the last one: of all sockets by `read`, or of some listeners by `readFew`. What these throw it throws;
   * undefined if nothing can be read.
   */
  sample(
    read: () => readonly ListenerSocket[] | undefined,
    readFew?: (listeners: readonly Listener[]) => readonly ListenerSocket[] | undefined,
  ): void {
    const begin = this.#clock.cpuSeconds();
    const few = readFew && this.#left > 0 ? this.#few : undefined;
    const [last, lastOfAll] = [this.#sampledAt, this.#allSampledAt];
    this.#sampledAt = undefined;
    if (!few) this.#allSampledAt = undefined;
    const readings = few ? readFew!(few) : read();
    if (readings === undefined) return;
    const at = this.#clock.monotonicSeconds();
    this.#sampledAt = at;
    // The first sample, and the first after one that failed, stands for no time that we know of.
    const since = (moment: number | undefined): number => (moment === undefined ? 0 : at - moment);
    if (few) {
      this.queues.sample(readings, at, () => since(last), few);
      this.#left -= this.#clock.cpuSeconds() - begin;
      return;
    }
    const wereSampled = new Set(this.#few);
    this.queues.sample(readings, at, (listener) => since(wereSampled.has(listener) ? last : lastOfAll));
    this.#allSampledAt = at;
    const cost = this.#clock.cpuSeconds() - begin;
    const isDear = readFew !== undefined && cost > dearSeconds;
    this.#few = isDear ? mostImportant(this.queues.listeners) : [];
    this.#left = this.#few.length > 0 ? cost : 0;
  }
}
