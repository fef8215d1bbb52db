import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Clock } from '../../host/clock.ts';
import { Attention, timeFor } from '../../sources/activity.ts';
import { AcceptQueues, type SampleWeight } from './accept-queues.ts';
import { byImportance } from './importance.ts';
import type { Listener } from './listener.ts';

// If a sample of all sockets costs more CPU time than this, most samples are of the most important listeners alone, which have this many sockets at most.
// Any user can make thousands, and would make samples rare for all.
const dearSeconds = 0.002;
const fewSockets = 64;
// CPU time for samples of all listeners then, per time for samples of the important ones: these keep most of their rate.
const shareOfAll = 0.25;

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
  /** The most important listeners, if a sample of all is dear. */
  #few: readonly Listener[] = [];
  /** CPU seconds of the last sample of all, and of the last one of the few. */
  #costOfAll = 0;
  #costOfFew = 0;

  /**
   * `hertz`: observations of the histogram in a second. `hasMoved`: whether connections came and went since it was asked last, which queues that are empty
   * do not show.
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
   * Takes a sample that stands for `seconds` of what is watched at the full rate; while nothing moves here, only now and then. It is of all sockets by `read`,
   * or of some listeners by `readFew`. What these throw it throws.
   */
  sample(seconds: number, read: ReadAll, readFew?: ReadFew): void {
    const time = timeFor(this.attention, seconds, this.#random);
    if (time === 0) return;
    // Chosen before the sample, like all that it stands for.
    const chance = this.#few.length > 0 ? Math.min(1, (shareOfAll * this.#costOfFew) / this.#costOfAll) : 1;
    const few = readFew && chance < 1 && this.#random() >= chance ? this.#few : undefined;
    const begin = this.#clock.cpuSeconds();
    const readings = few ? readFew!(few) : read();
    const at = this.#clock.monotonicSeconds();
    if (readings === undefined) return this.attention.look(at, false);
    const important = this.#observations.weigh(time);
    const isBusy = few
      ? this.queues.sample(readings, at, () => important, few)
      : this.#sampleAll(readings, at, important, time / chance);
    const cost = this.#clock.cpuSeconds() - begin;
    if (few) this.#costOfFew = cost;
    else this.#noteCostOfAll(cost, readFew !== undefined);
    this.attention.look(at, isBusy, this.#hasMoved);
  }

  /** Those that are in each sample stand for less than the others. */
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

  #noteCostOfAll(cost: number, canReadFew: boolean): void {
    const isDear = canReadFew && cost > dearSeconds;
    // Until the first sample of the few has shown what it costs.
    if (!isDear || this.#few.length === 0) this.#costOfFew = cost;
    this.#costOfAll = cost;
    this.#few = isDear ? mostImportant(this.queues.listeners) : [];
  }
}
