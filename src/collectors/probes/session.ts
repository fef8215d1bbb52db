import { parseKprobeProfile, type ProbeCounts } from '../../formats/kprobe-profile.ts';
import { parseTraceHist, type HistTable } from '../../formats/trace-hist.ts';
import { FileError, isForbidden } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import { naming } from '../../sources/parsed.ts';
import { CannotTrace } from '../../sources/windows.ts';
import {
  delayCommand,
  delayFolder,
  eventName,
  isNeeded,
  probeCommand,
  probeFolder,
  triggersOf,
  type Probe,
  type ProbeSet,
  type ProbeSetName,
} from './probe-sets.ts';
import { clearInstance, lockProbes, makeInstance, ownInstance, removeLeftovers } from './leftovers.ts';

/** Content of a set's tables at one moment. */
export interface Reading {
  /** Monotonic seconds. */
  readonly at: number;
  /** Tables by the event's folder, in the order of its triggers. */
  readonly tables: ReadonlyMap<string, readonly HistTable[]>;
  /** Counts by event. */
  readonly probes: ReadonlyMap<string, ProbeCounts>;
}

/** Returns whether the kernel permanently refuses a command. */
const isRefusal = (error: unknown): error is FileError =>
  error instanceof FileError && ['EINVAL', 'ENOENT', 'EADDRNOTAVAIL', 'EOPNOTSUPP', 'EILSEQ'].includes(error.code);

type ProbeHost = Pick<Host, 'procfs' | 'tracefs' | 'clock'>;

/** This process's probes in the kernel: created once, armed per window, removed at the end. */
export class ProbeSession {
  readonly #host: ProbeHost;
  readonly #sets: readonly ProbeSet[];
  readonly #unusable = new Map<ProbeSetName, string>();
  /** Optional probes that this kernel refuses. */
  readonly #missing = new Set<Probe>();
  /** This process's instance. Set before the instance may exist. */
  #instance: string | undefined;
  /** Held while this process may have anything in the kernel. */
  #lock: Disposable | undefined;
  #isSetUp = false;

  constructor(host: ProbeHost, sets: readonly ProbeSet[]) {
    this.#host = host;
    this.#sets = sets;
  }

  /** Sets that this kernel allows, as far as known. */
  get usable(): ProbeSet[] {
    return this.#sets.filter(({ name }) => !this.#unusable.has(name));
  }

  /** Reasons why sets are unusable. */
  get unusable(): ReadonlyMap<ProbeSetName, string> {
    return this.#unusable;
  }

  giveUp(set: ProbeSetName, why: string): void {
    this.#unusable.set(set, why);
  }

  /** The set without the probes that this kernel refuses. */
  #possible({ name, probes, counts, delays }: ProbeSet): ProbeSet {
    const missing = new Set([...this.#missing].map(({ event }) => event));
    return {
      name,
      probes: probes.filter(({ event }) => !missing.has(event)),
      counts: counts.filter(({ event }) => !missing.has(event)),
      delays: delays.filter(({ from, to }) => !missing.has(from.event) && !missing.has(to.event)),
    };
  }

  /**
   * Creates missing instance, probes and synthetic events after removing leftovers of earlier processes. Rejects with
   * CannotTrace, AnotherExporter or FileError.
   */
  async setUp(): Promise<void> {
    if (this.#isSetUp) return;
    const { procfs, tracefs } = this.#host;
    const own = ownInstance(procfs);
    try {
      this.#lock ??= await lockProbes(tracefs);
      await removeLeftovers(tracefs);
      this.#instance = own;
      await makeInstance(tracefs, own);
      for (const set of this.usable) await this.#make(set);
      this.#isSetUp = true;
    } catch (error) {
      // Leftovers are removed at the next attempt, or at the end.
      await this.tearDown().catch(() => {});
      throw isForbidden(error) ? new CannotTrace(forbidden(error as Error), { cause: error }) : error;
    }
  }

  async #make(set: ProbeSet): Promise<void> {
    const { tracefs } = this.#host;
    for (const probe of set.probes) {
      try {
        await tracefs.append('kprobe_events', probeCommand(probe));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        if (isNeeded(probe)) return this.giveUp(set.name, `${probe.function} cannot be probed (${error.code})`);
        this.#missing.add(probe);
      }
    }
    for (const delay of this.#possible(set).delays) await tracefs.append('synthetic_events', delayCommand(delay));
  }

  /** Starts counting for these sets. A set that the kernel refuses becomes unusable. Rejects with FileError. */
  async arm(sets: readonly ProbeSet[]): Promise<void> {
    for (const set of sets) {
      for (const { event, command } of triggersOf(this.#possible(set))) {
        const file = this.#file(event, 'trigger');
        try {
          await this.#host.tracefs.append(file, command);
        } catch (error) {
          if (!isRefusal(error) || error.code === 'ENOENT') throw error;
          this.giveUp(set.name, `the kernel refuses "${command}" for ${event} (${await this.#complaint(error)})`);
          break;
        }
      }
    }
  }

  /** The kernel's message about the last refused command. */
  async #complaint(error: FileError): Promise<string> {
    const log = await this.#host.tracefs.read(`instances/${this.#instance}/error_log`).catch(() => '');
    return [...log.matchAll(/error: (.*)/g)].at(-1)?.[1] ?? error.code;
  }

  /** Counts of these sets since arming. Rejects with FileError or ParseError. */
  async read(sets: readonly ProbeSet[]): Promise<Map<ProbeSetName, Reading>> {
    const readings = new Map<ProbeSetName, Reading>();
    const profile = await this.profile();
    for (const set of sets) {
      const at = this.#host.clock.monotonicSeconds();
      const { probes, counts, delays } = this.#possible(set);
      const tables = new Map<string, HistTable[]>();
      const folders = [
        // Read outputs of delays before their inputs.
        ...delays.map(delayFolder),
        ...[...counts.map(({ event }) => event), ...delays.flatMap(({ from, to }) => [from.event, to.event])].map(
          probeFolder,
        ),
      ];
      for (const folder of new Set(folders)) tables.set(folder, await this.#parsed(folder));
      const own = probes.map(({ event }) => [event, profile.get(eventName(event)) ?? { hits: 0, missed: 0 }] as const);
      readings.set(set.name, { at, tables, probes: new Map(own) });
    }
    return readings;
  }

  async #parsed(folder: string): Promise<HistTable[]> {
    const file = this.#file(folder, 'hist');
    const text = await this.#host.tracefs.read(file);
    return naming(this.#host.tracefs.files.path(file), () => parseTraceHist(text));
  }

  /** Hits of all probes, including other programs', by event name. Rejects with FileError or ParseError. */
  async profile(): Promise<Map<string, ProbeCounts>> {
    const text = await this.#host.tracefs.read('kprobe_profile');
    return naming(this.#host.tracefs.files.path('kprobe_profile'), () => parseKprobeProfile(text));
  }

  /** Stops recording. Rejects with FileError. */
  async disarm(): Promise<void> {
    if (this.#instance !== undefined) await clearInstance(this.#host.tracefs, this.#instance);
  }

  /** Removes everything that was created. Rejects with FileError. */
  async tearDown(): Promise<void> {
    this.#isSetUp = false;
    if (this.#instance !== undefined) await removeLeftovers(this.#host.tracefs);
    this.#instance = undefined;
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }

  #file(event: string, name: string): string {
    return `instances/${this.#instance}/events/${event}/${name}`;
  }
}

const forbidden = ({ message }: Error): string =>
  `probes need root and a kernel that is not locked down for confidentiality (${message})`;
