import { setTimeout as delay } from 'node:timers/promises';
import type { ProbeCounts } from '../../formats/kprobe-profile.ts';
import type { Host } from '../../host/host.ts';
import type { Log } from '../../host/log.ts';
import { deltaOf, type ReadingDelta } from './reading-delta.ts';
import { eventName, type ProbeSet, type ProbeSetName } from './probe-sets.ts';
import type { TcpGrowth } from './probe-totals.ts';
import type { ProbeSession, Reading } from './session.ts';
import { readTcp, tcpGrowth } from './tcp-counters.ts';

/** Limits and spacing of windows. */
export interface WindowLimits {
  readonly windowSeconds: number;
  /** Hits per second of all probes together. */
  readonly maxHits: number;
  /** The probes stay armed between windows. */
  readonly isAlways: boolean;
}

/** Result of a window. */
export interface ProbeWindow {
  /** Too many hits: the probes were disarmed early. */
  readonly isShort: boolean;
  readonly deltas: ReadonlyMap<ProbeSetName, ReadingDelta>;
  readonly tcp: TcpGrowth;
}

interface Armed {
  readonly sets: readonly ProbeSet[];
  readonly readings: ReadonlyMap<ProbeSetName, Reading>;
  readonly tcp: TcpGrowth;
}

// Time until a storm of hits is detected.
const secondsBetweenChecks = 0.5;
// With this many connections, zero hits cannot be chance.
const telling = 20;

const hitsOf = (sets: readonly ProbeSet[], profile: ReadonlyMap<string, ProbeCounts>): number =>
  sets.flatMap(({ probes }) => probes).reduce((sum, { event }) => sum + (profile.get(eventName(event))?.hits ?? 0), 0);

/** Arms probes for one window at a time. Disarms them early if they are hit too often. */
export class ProbeWindows {
  readonly #host: Host;
  readonly #log: Log;
  readonly #session: ProbeSession;
  readonly #limits: WindowLimits;
  #armed: Armed | undefined;
  #wasShort = false;

  constructor(spec: { host: Host; log: Log; session: ProbeSession; limits: WindowLimits }) {
    this.#host = spec.host;
    this.#log = spec.log;
    this.#session = spec.session;
    this.#limits = spec.limits;
  }

  /**
   * Records `wanted`, as far as this kernel allows, for one window. Undefined if it allows nothing or `signal` ended
   * the window. `observeCost` receives CPU time. Rejects with CannotTrace, AnotherExporter, FileError or ParseError;
   * the caller must then remove the probes.
   */
  async watch(
    wanted: ReadonlySet<ProbeSetName>,
    signal: AbortSignal,
    observeCost: (cpuSeconds: number) => void,
  ): Promise<ProbeWindow | undefined> {
    const costing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      const begin = this.#host.clock.cpuSeconds();
      try {
        return await work();
      } finally {
        observeCost(this.#host.clock.cpuSeconds() - begin);
      }
    };
    const armed = this.#armed ?? (await costing(() => this.#arm(wanted)));
    this.#armed = undefined;
    if (armed.sets.length === 0) {
      await this.#session.disarm();
      return undefined;
    }
    const isShort = await this.#wait(armed.sets, signal);
    if (signal.aborted) return undefined;
    return costing(async () => {
      const now = await this.#read(armed.sets);
      const result = this.#result(armed, now, isShort);
      const areAllOfUse = now.sets.every(({ name }) => !this.#session.unusable.has(name));
      if (this.#limits.isAlways && !isShort && areAllOfUse) this.#armed = now;
      else await this.#session.disarm();
      return result;
    });
  }

  async #arm(wanted: ReadonlySet<ProbeSetName>): Promise<Armed> {
    const usable = (): ProbeSet[] => this.#session.usable.filter(({ name }) => wanted.has(name));
    await this.#session.setUp();
    await this.#session.arm(usable());
    return this.#read(usable());
  }

  async #read(sets: readonly ProbeSet[]): Promise<Armed> {
    return { sets, readings: await this.#session.read(sets), tcp: readTcp(this.#host.procfs) };
  }

  /** Waits for the window to end. Resolves to whether there were too many hits. */
  async #wait(sets: readonly ProbeSet[], signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#host;
    const { windowSeconds, maxHits } = this.#limits;
    const end = clock.monotonicSeconds() + windowSeconds;
    let at = clock.monotonicSeconds();
    let hits = hitsOf(sets, await this.#session.profile());
    while (at < end && !signal.aborted) {
      await pause(Math.min(end - at, secondsBetweenChecks), signal);
      const [hitsBefore, before] = [hits, at];
      hits = hitsOf(sets, await this.#session.profile());
      at = clock.monotonicSeconds();
      const rate = (hits - hitsBefore) / (at - before);
      if (rate <= maxHits) continue;
      if (!this.#wasShort)
        this.#log.warn('Disarmed probes because of too many hits', { hits_per_second: Math.round(rate), max: maxHits });
      return (this.#wasShort = true);
    }
    if (!signal.aborted) this.#wasShort = false;
    return false;
  }

  #result(before: Armed, now: Armed, isShort: boolean): ProbeWindow {
    const deltas = new Map(
      [...now.readings].map(([name, reading]) => [name, deltaOf(before.readings.get(name)!, reading)]),
    );
    const tcp = tcpGrowth(before.tcp, now.tcp);
    const ways = deltas.get('accept')?.probes;
    if (ways && tcp.passiveOpens >= telling && !['queue', 'add'].some((event) => ways.get(event)?.hits)) {
      const why = `TCP made ${tcp.passiveOpens} connections without a hit of a probe: this kernel inlines the probed functions`;
      this.#session.giveUp('accept', why);
      this.#log.warn('Probes do not work', { probes: 'accept', err: why });
    }
    return { isShort, deltas, tcp };
  }

  /** Disarms everything. */
  forget(): void {
    this.#armed = undefined;
  }
}

/** Waits for the time, or until `signal` fires. */
export const pause = async (seconds: number, signal: AbortSignal): Promise<void> => {
  await delay(seconds * 1e3, undefined, { signal, ref: false }).catch(() => {});
};
