import type { IoRingFile } from '../../formats/io-ring.ts';
import { levelsOf } from './rings.ts';
import { pressureMetrics } from './metrics.ts';

/** The kinds of pressure on a queue. */
export type Pressure = keyof typeof pressureMetrics;
export const pressures = Object.keys(pressureMetrics) as Pressure[];
export type Seconds = Record<Pressure, number>;

const none = (): Seconds => ({ rxEmpty: 0, txWaiting: 0, guestQueueFull: 0, rateLimited: 0 });

const isPressed = (reading: IoRingFile): Record<Pressure, boolean> => {
  const { rxFree, txUnconsumed } = levelsOf(reading);
  return {
    rxEmpty: rxFree === 0,
    txWaiting: (txUnconsumed ?? 0) > 0,
    guestQueueFull: reading.isGuestQueueStopped,
    rateLimited: reading.isRateLimited,
  };
};

interface VifPressure {
  sampledAt: number;
  /** Any of the queues: what the worst one suffers at each moment. */
  readonly worst: Seconds;
  readonly queues: Map<string, Seconds>;
}

/** For how long the queues of each vif were under pressure: integrals over time, from samples. */
export class PressureTimes {
  readonly #vifs = new Map<string, VifPressure>();

  /** Adds a sample of all queues of a vif, which stands for the time since the last one. */
  add(vif: string, readings: ReadonlyMap<string, IoRingFile>, now: number): void {
    const known = this.#vifs.get(vif) ?? { sampledAt: now, worst: none(), queues: new Map<string, Seconds>() };
    this.#vifs.set(vif, known);
    const seconds = now - known.sampledAt;
    known.sampledAt = now;
    const isWorst = new Set<Pressure>();
    for (const [queue, reading] of readings) {
      const ofQueue = known.queues.get(queue) ?? none();
      known.queues.set(queue, ofQueue);
      const pressed = isPressed(reading);
      for (const pressure of pressures) {
        if (!pressed[pressure]) continue;
        ofQueue[pressure] += seconds;
        isWorst.add(pressure);
      }
    }
    for (const pressure of isWorst) known.worst[pressure] += seconds;
  }

  /** The next sample of this vif stands for no time that we know of: it was not there, or could not be read. */
  interrupt(vif: string, now: number): void {
    const known = this.#vifs.get(vif);
    if (known) known.sampledAt = now;
  }

  /** The sums over the samples of a vif, and the time of the last sample, in seconds of monotonic time. */
  of(vif: string): Readonly<VifPressure> | undefined {
    return this.#vifs.get(vif);
  }

  keepOnly(vifs: ReadonlySet<string>): void {
    for (const vif of this.#vifs.keys()) if (!vifs.has(vif)) this.#vifs.delete(vif);
  }
}
