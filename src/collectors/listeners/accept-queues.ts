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
  drops: undefined,
  connectionSeconds: 0,
  fullSeconds: 0,
  dequeued: 0,
  fill: new Histogram(fillBounds),
});

/** Follows the accept queues of all listeners from one reading to the next. */
export class AcceptQueues {
  #sockets = new Map<number, SocketState>();
  /** Sockets that the last reading did not have, the longest missing first: a reading may lack one that is still there. */
  readonly #missing = new Map<number, SocketState>();
  #resets = 0;
  /** Live sockets and closed ones; `sockets` has the live ones. */
  readonly #listeners = new Map<string, Listener>();

  /** The listeners of the last reading. */
  get listeners(): Listener[] {
    return [...this.#listeners.values()].filter(({ sockets }) => sockets > 0);
  }

  /** Drops that did not continue from those read before, since this was asked last. */
  takeResets(): number {
    const resets = this.#resets;
    this.#resets = 0;
    return resets;
  }

  /**
   * Takes a reading at `at` (monotonic seconds): the lengths and limits of this moment, and what the counters grew by since the last one. `few`: the reading
   * is of these listeners alone.
   */
  observe(readings: readonly ListenerSocket[], at: number, few?: readonly Listener[]): void {
    for (const listener of few ?? this.#listeners.values()) {
      listener.sockets = 0;
      listener.queueLength = 0;
      listener.queueLimit = undefined;
      listener.maxFill = undefined;
    }
    const sockets = few ? this.#sockets : new Map<number, SocketState>();
    for (const reading of readings) {
      const socket = this.#socketOf(reading);
      sockets.set(reading.id, socket);
      if (update(socket, reading, at).isReset) this.#resets += 1;
    }
    if (few) return;
    for (const [id, socket] of this.#sockets) if (!sockets.has(id)) this.#missing.set(id, socket);
    this.#sockets = sockets;
    this.#evict();
  }

  /** Takes a reading at `at` as a sample that stands for the last `secondsOf` each listener: adds to the integrals and the histogram. `few`: see `observe`. */
  sample(
    readings: readonly ListenerSocket[],
    at: number,
    secondsOf: (listener: Listener) => number,
    few?: readonly Listener[],
  ): void {
    this.observe(readings, at, few);
    for (const listener of few ?? this.#listeners.values()) {
      const seconds = secondsOf(listener);
      listener.connectionSeconds += listener.queueLength * seconds;
      if (listener.maxFill === undefined) continue;
      if (listener.maxFill >= 1) listener.fullSeconds += seconds;
      listener.fill.observe(listener.maxFill);
    }
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
    return { listener, length: 0, drops: undefined };
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

const update = (socket: SocketState, reading: ListenerSocket, at: number): { isReset: boolean } => {
  const { listener } = socket;
  listener.sockets += 1;
  if (listener.sockets === 1 || (reading.uid ?? Infinity) < (listener.uid ?? Infinity)) listener.uid = reading.uid;
  listener.queueLength += reading.queueLength;
  if (reading.queueLength > 0) listener.wasBusy = true;
  listener.cgroupId = reading.cgroupId ?? listener.cgroupId;
  if (reading.queueLimit !== undefined) {
    listener.queueLimit = (listener.queueLimit ?? 0) + reading.queueLimit;
    listener.maxFill = Math.max(listener.maxFill ?? 0, reading.queueLength / (reading.queueLimit + 1));
  }
  listener.dequeued += Math.max(0, socket.length - reading.queueLength);
  socket.length = reading.queueLength;
  if (reading.drops === undefined) return { isReset: false };
  const { growth, isReset } = dropsStep(socket, reading.drops, at);
  listener.drops = (listener.drops ?? 0) + growth;
  if (growth > 0) listener.wasBusy = true;
  return { isReset };
};
