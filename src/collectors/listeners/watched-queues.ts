import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Clock } from '../../host/clock.ts';
import { Attention, timeFor } from '../../sources/activity.ts';
import { AcceptQueues, type SampleWeight } from './accept-queues.ts';
import { byImportance } from './importance.ts';
import type { Listener } from './listener.ts';

// If there are more sockets than these, most samples are of the most important listeners alone, which have `fewSockets`
// sockets at most. The kernel needs half a microsecond for each socket that it lists, and any user can make thousands,
// which would make samples rare for all.
const manySockets = 256;
const fewSockets = 64;
// CPU time for samples of all listeners then, per time for samples of the important ones: these keep most of their
// rate.
const shareOfAll = 0.1;
const leastChance = 0.001;
// The important listeners change slowly, and finding them costs as much as a sample.
const secondsBetweenChoices = 10;

const mostImportant = (listeners: readonly Listener[]): Listener[] => {
  let room = fewSockets;
  return byImportance(listeners, (listener) => listener).filter(({ sockets }) => {
    const hasRoom = sockets <= room;
    if (hasRoom) room -= sockets;
    return hasRoom;
  });
};

/** Turns times into observations at a rate of `hertz`, in whole numbers without loss. */
class Observations {
  readonly #hertz: number;
  #rest = 0;

  constructor(hertz: number) {
    this.#hertz = hertz;
  }

  weigh(seconds: number): SampleWeight {
    const exact = seconds * this.#hertz + this.#rest;
    const observations = Math.floor(exact);
    this.#rest = exact - observations;
    return { seconds, observations };
  }
}

/** Reads the sockets of all listeners; undefined if nothing can be read. */
export type ReadAll = () => readonly ListenerSocket[] | undefined;
/** Reads the sockets of these listeners alone. */
export type ReadFew = (listeners: readonly Listener[]) => readonly ListenerSocket[] | undefined;

/** The accept queues of one network namespace, and how closely to watch them. */
export class WatchedQueues {
  /** The value of the label `netns`. */
  readonly netns: string;
  /** The tenant that owns the namespace; each has a fair share. */
  readonly tenant: string;
  readonly queues = new AcceptQueues();
  readonly attention = new Attention();
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #hasMoved: (() => boolean) | undefined;
  readonly #observations: Observations;
  readonly #observationsOfOthers: Observations;
  /** The most important listeners, if there are many. */
  #few: readonly Listener[] = [];
  #chosenAt = -Infinity;
  /** CPU seconds of the last sample of all, and of the last one of the few, if there are many. */
  #costOfAll: number | undefined;
  #costOfFew: number | undefined;

  /**
   * `hertz`: observations of the histogram in a second. `hasMoved`: whether connections came and went since it was
   * asked last, which queues that are empty do not show.
   */
  constructor(
    { netns, tenant, hertz, hasMoved }: { netns: string; tenant: string; hertz: number; hasMoved?: () => boolean },
    clock: Clock,
    random: () => number = Math.random,
  ) {
    this.netns = netns;
    this.tenant = tenant;
    this.#clock = clock;
    this.#random = random;
    this.#hasMoved = hasMoved;
    this.#observations = new Observations(hertz);
    this.#observationsOfOthers = new Observations(hertz);
  }

  /**
   * Takes a sample that stands for `seconds` of what is watched at the full rate; while nothing moves here, only now
   * and then. It is of all sockets by `read`, or of some listeners by `readFew`. What these throw it throws.
   */
  sample(seconds: number, read: ReadAll, readFew?: ReadFew): void {
    const time = timeFor(this.attention, seconds, this.#random);
    if (time === 0) return;
    const chance = this.#chanceOfAll();
    const few = readFew && chance < 1 && this.#random() >= chance ? this.#few : undefined;
    const begin = this.#few.length > 0 ? this.#clock.cpuSeconds() : undefined;
    const readings = few ? readFew!(few) : read();
    const at = this.#clock.monotonicSeconds();
    if (readings === undefined) return this.attention.look(at, false);
    const important = this.#observations.weigh(time);
    const isBusy = few
      ? this.queues.sample(readings, at, () => important, few)
      : this.#sampleAll(readings, at, important, time / chance);
    const cost = begin === undefined ? undefined : this.#clock.cpuSeconds() - begin;
    if (few) this.#costOfFew = cost;
    else {
      this.#costOfAll = cost;
      this.#choose(at, readFew !== undefined && readings.length > manySockets);
    }
    this.attention.look(at, isBusy, this.#hasMoved);
  }

  /** How likely the next sample is one of all; chosen before it, like all that it stands for. */
  #chanceOfAll(): number {
    if (this.#few.length === 0) return 1;
    // Until both are known, as if the few cost as much as all.
    const ratio = this.#costOfFew && this.#costOfAll ? this.#costOfFew / this.#costOfAll : 1;
    return Math.min(Math.max(shareOfAll * ratio, leastChance), shareOfAll);
  }

  /** Listeners that are in each sample stand for less than the others. */
  #sampleAll(
    readings: readonly ListenerSocket[],
    at: number,
    important: SampleWeight,
    secondsOfOthers: number,
  ): boolean {
    if (this.#few.length === 0) return this.queues.sample(readings, at, () => important);
    const few = new Set(this.#few);
    const others = this.#observationsOfOthers.weigh(secondsOfOthers);
    return this.queues.sample(readings, at, (listener) => (few.has(listener) ? important : others));
  }

  #choose(at: number, areMany: boolean): void {
    if (!areMany) {
      this.#few = [];
      this.#chosenAt = -Infinity;
      return;
    }
    if (at - this.#chosenAt < secondsBetweenChoices) return;
    this.#chosenAt = at;
    const few = mostImportant(this.queues.listeners);
    const before = new Set(this.#few);
    // The same array if nothing has changed: requests to the kernel are kept by it.
    if (few.length !== before.size || !few.every((listener) => before.has(listener))) this.#few = few;
  }
}
