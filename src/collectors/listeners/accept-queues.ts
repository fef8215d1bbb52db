import type { ListenerSocket } from '../../formats/listener-socket.ts';
import { bounds } from '../../metrics/bounds.ts';
import { firstStep, judgeStep, stepForward, type CounterSource, type CounterStep } from '../../metrics/counter-step.ts';
import { Histogram } from '../../metrics/histogram.ts';
import { addressKey } from './address-key.ts';
import { byImportance } from './importance.ts';
import type { Listener } from './listener.ts';

/** Upper bounds of the histogram of fills, as OpenMetrics writes them. */
const fillBounds = ['0.0', '0.25', '0.5', '0.75', '0.9', '1.0', '+Inf'] as const;

/** Series of that histogram, with its sum and count. */
export const fillSeries = fillBounds.length + 2;

/** One socket as it was read last. */
interface SocketState {
  readonly listener: Listener;
  reading: ListenerSocket;
  length: number;
  drops: CounterSource | undefined;
}

// Listeners and sockets that went away, whose counters wait for their return.
const maxGone = 1024;

const isLoopback = (address: string): boolean => /^(::ffff:)?127\.|^::1$/.test(address);

const newListener = ({ family, address, port, id }: ListenerSocket): Listener => ({
  family,
  address,
  port,
  sockets: 0,
  queueLength: 0,
  queueLimit: undefined,
  maxFill: undefined,
  cgroupId: undefined,
  uid: undefined,
  isLoopback: isLoopback(address),
  firstId: id,
  wasBusy: false,
  isStale: false,
  drops: undefined,
  connectionSeconds: 0,
  fullSeconds: 0,
  dequeued: 0,
  fill: new Histogram(fillBounds),
});

/** The weight of a sample: the seconds and the observations of a histogram that it stands for. */
export interface SampleWeight {
  readonly seconds: number;
  readonly observations: number;
}

/** Follows the accept queues of all listeners from one reading to the next. */
export class AcceptQueues {
  #sockets = new Map<number, SocketState>();
  /** The last reading, of all sockets or a few. */
  #lastReadings: readonly ListenerSocket[] | undefined;
  /** The last reading of all sockets, unless sockets came or went since, and the socket of each of its rows. */
  #readings: readonly ListenerSocket[] | undefined;
  #inOrder: readonly SocketState[] = [];
  /**
   * Sockets that the last reading did not have, the longest missing first: a reading may lack one that is still there.
   */
  readonly #missing = new Map<number, SocketState>();
  #resets = 0;
  #haveDropped = false;
  /** Live listeners and closed ones. A closed one has no sockets. */
  readonly #listeners = new Map<string, Listener>();
  #live: readonly Listener[] = [];

  /** The listeners of the last reading. */
  get listeners(): readonly Listener[] {
    return this.#live;
  }

  /** Drops that did not continue from those read before, since this was asked last. */
  takeResets(): number {
    const resets = this.#resets;
    this.#resets = 0;
    return resets;
  }

  /**
   * Takes a reading at `at` (monotonic seconds): the lengths and limits of this moment, and what the counters grew by
   * since the last one. `few`: the reading is of these listeners alone. Sockets whose readings are the same objects as
   * before cost nothing.
   */
  observe(readings: readonly ListenerSocket[], at: number, few?: readonly Listener[]): void {
    if (readings === this.#lastReadings) return;
    this.#lastReadings = readings;
    if (few) return this.#observeFew(readings, at, few);
    if (this.#readings && this.#areSameSockets(readings, this.#readings)) this.#observeChanges(readings, at);
    else this.#observeAll(readings, at);
    this.#readings = readings;
  }

  #areSameSockets(readings: readonly ListenerSocket[], last: readonly ListenerSocket[]): boolean {
    if (readings.length !== last.length) return false;
    for (let i = 0; i < readings.length; i += 1) {
      const now = readings[i]!;
      const before = last[i]!;
      if (now !== before && (now.id !== before.id || !isSameAddress(this.#inOrder[i]!.listener, now))) return false;
    }
    return true;
  }

  #observeChanges(readings: readonly ListenerSocket[], at: number): void {
    let areStale = false;
    for (let i = 0; i < readings.length; i += 1) {
      const socket = this.#inOrder[i]!;
      if (readings[i] === socket.reading) continue;
      this.#update(socket, readings[i]!, at);
      socket.listener.isStale = areStale = true;
    }
    if (!areStale) return;
    const stale = this.#live.filter(({ isStale }) => isStale);
    stale.forEach(clearSums);
    for (const { listener, reading } of this.#inOrder) if (listener.isStale) addToSums(listener, reading);
    for (const listener of stale) listener.isStale = false;
  }

  #observeAll(readings: readonly ListenerSocket[], at: number): void {
    for (const listener of this.#listeners.values()) clearSums(listener);
    const sockets = new Map<number, SocketState>();
    const inOrder: SocketState[] = [];
    for (const reading of readings) {
      const socket = this.#socketOf(reading);
      sockets.set(reading.id, socket);
      inOrder.push(socket);
      this.#update(socket, reading, at);
      addToSums(socket.listener, reading);
    }
    for (const [id, socket] of this.#sockets) if (!sockets.has(id)) this.#missing.set(id, socket);
    this.#sockets = sockets;
    this.#inOrder = inOrder;
    this.#evict();
    this.#findLive();
  }

  #observeFew(readings: readonly ListenerSocket[], at: number, few: readonly Listener[]): void {
    const counts = few.map(({ sockets }) => sockets);
    few.forEach(clearSums);
    let areKnown = true;
    for (const reading of readings) {
      const socket = this.#socketOf(reading);
      // For an IPv4 address the kernel also picks the listener of that address on an IPv6 socket.
      if (!few.includes(socket.listener)) continue;
      if (this.#sockets.get(reading.id) !== socket) {
        areKnown = false;
        this.#sockets.set(reading.id, socket);
      }
      this.#update(socket, reading, at);
      addToSums(socket.listener, reading);
    }
    if (areKnown && few.every(({ sockets }, i) => sockets === counts[i])) return;
    // Sockets came or went: the next reading of all cannot be compared with the last one.
    this.#readings = undefined;
    this.#findLive();
  }

  #findLive(): void {
    this.#live = [...this.#listeners.values()].filter(({ sockets }) => sockets > 0);
  }

  #update(socket: SocketState, reading: ListenerSocket, at: number): void {
    const { isReset, hasDropped } = update(socket, reading, at);
    if (isReset) this.#resets += 1;
    if (hasDropped) this.#haveDropped = true;
  }

  /**
   * Takes a reading at `at` as a sample, and adds what it stands for each listener to the integrals and the histogram.
   * `few`: see `observe`. Returns whether a connection waits, or one was dropped since the last sample.
   */
  sample(
    readings: readonly ListenerSocket[],
    at: number,
    weightOf: (listener: Listener) => SampleWeight,
    few?: readonly Listener[],
  ): boolean {
    this.observe(readings, at, few);
    let isBusy = this.#haveDropped;
    this.#haveDropped = false;
    for (const listener of few ?? this.#live) {
      const { seconds, observations } = weightOf(listener);
      if (listener.queueLength > 0) {
        listener.connectionSeconds += listener.queueLength * seconds;
        isBusy = true;
      }
      if (listener.maxFill === undefined) continue;
      if (listener.maxFill >= 1) listener.fullSeconds += seconds;
      listener.fill.observeAll(listener.maxFill, observations, observations * listener.maxFill);
    }
    return isBusy;
  }

  #socketOf(reading: ListenerSocket): SocketState {
    const known = this.#sockets.get(reading.id);
    // The inode numbers of /proc are used again, perhaps for another listener's socket.
    if (known && isSameAddress(known.listener, reading)) return known;
    const key = addressKey(reading);
    const listener = this.#listeners.get(key) ?? newListener(reading);
    this.#listeners.set(key, listener);
    const missing = this.#missing.get(reading.id);
    this.#missing.delete(reading.id);
    if (missing?.listener === listener) return missing;
    return { listener, reading, length: 0, drops: undefined };
  }

  #evict(): void {
    for (const id of this.#missing.keys()) {
      if (this.#missing.size <= maxGone) break;
      this.#missing.delete(id);
    }
    const gone = [...this.#listeners.values()].filter(({ sockets }) => sockets === 0);
    if (gone.length <= maxGone) return;
    const inOrder = byImportance(gone, (listener) => listener);
    for (const listener of inOrder.slice(maxGone)) this.#listeners.delete(addressKey(listener));
  }
}

const isSameAddress = (listener: Listener, { family, address, port }: ListenerSocket): boolean =>
  listener.port === port && listener.address === address && listener.family === family;

/** Growth of a socket's drops. */
const dropsStep = (socket: SocketState, drops: number, at: number): CounterStep => {
  const reading = { now: drops, at, bounds: bounds.connections, count: 1, width: 'u32' as const };
  if (!socket.drops) {
    const [begun, step] = firstStep(reading);
    socket.drops = begun;
    return step;
  }
  const growth = stepForward(socket.drops, drops, at, bounds.connections.perSecond);
  return growth === undefined ? judgeStep(socket.drops, reading, false) : { growth, isReset: false };
};

const update = (
  socket: SocketState,
  reading: ListenerSocket,
  at: number,
): { isReset: boolean; hasDropped: boolean } => {
  const { listener } = socket;
  socket.reading = reading;
  if (reading.queueLength > 0) listener.wasBusy = true;
  listener.dequeued += Math.max(0, socket.length - reading.queueLength);
  socket.length = reading.queueLength;
  if (reading.drops === undefined) return { isReset: false, hasDropped: false };
  const { growth, isReset } = dropsStep(socket, reading.drops, at);
  // The first reading of a socket is no growth that anybody has seen.
  const hasDropped = growth > 0 && listener.drops !== undefined;
  listener.drops = (listener.drops ?? 0) + growth;
  if (growth > 0) listener.wasBusy = true;
  return { isReset, hasDropped };
};

const clearSums = (listener: Listener): void => {
  listener.sockets = 0;
  listener.queueLength = 0;
  listener.queueLimit = undefined;
  listener.maxFill = undefined;
};

const addToSums = (listener: Listener, { queueLength, queueLimit, uid, cgroupId }: ListenerSocket): void => {
  listener.sockets += 1;
  if (listener.sockets === 1 || (uid ?? Infinity) < (listener.uid ?? Infinity)) listener.uid = uid;
  listener.queueLength += queueLength;
  listener.cgroupId = cgroupId ?? listener.cgroupId;
  if (queueLimit === undefined) return;
  listener.queueLimit = (listener.queueLimit ?? 0) + queueLimit;
  listener.maxFill = Math.max(listener.maxFill ?? 0, queueLength / (queueLimit + 1));
};
