import type { IoRingFile } from '../../formats/io-ring.ts';
import { Attention } from '../../sources/activity.ts';
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
  /**
   * When the first sample was taken, in seconds of monotonic time, and the time that all samples stand for since: no
   * sum grows faster.
   */
  countedUntil: number;
  /** Any of the queues: what the worst one suffers at each moment. */
  readonly worst: Seconds;
  readonly queues: Map<string, Seconds>;
}

/** For how long the queues of each vif were under pressure: integrals over time, from samples. */
export class PressureTimes {
  readonly #vifs = new Map<string, VifPressure>();
  readonly #attention = new Map<string, Attention>();

  /** Adds a sample of all queues of a vif at `now`, which stands for so many seconds. */
  add(vif: string, readings: ReadonlyMap<string, IoRingFile>, seconds: number, now: number): void {
    const known = this.#vifs.get(vif) ?? {
      countedUntil: now,
      worst: none(),
      queues: new Map<string, Seconds>(),
    };
    this.#vifs.set(vif, known);
    known.countedUntil += seconds;
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
    this.attentionTo(vif).look(now, isWorst.size > 0);
  }

  /** How closely to watch a vif: at the full rate while anything presses on its queues. */
  attentionTo(vif: string): Attention {
    const attention = this.#attention.get(vif) ?? new Attention();
    this.#attention.set(vif, attention);
    return attention;
  }

  /** The sums over the samples of a vif. */
  of(vif: string): Readonly<VifPressure> | undefined {
    return this.#vifs.get(vif);
  }

  keepOnly(vifs: ReadonlySet<string>): void {
    for (const known of [this.#vifs, this.#attention])
      for (const vif of known.keys()) if (!vifs.has(vif)) known.delete(vif);
  }
}
