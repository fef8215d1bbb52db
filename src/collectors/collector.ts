import type { Options, OptionValues } from '../config/option.ts';
import type { ConfigurableCollector } from '../config/settings.ts';
import type { Host } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import type { Availability, Unavailable } from '../host/unavailable.ts';
import type { Descriptor } from '../metrics/descriptor.ts';
import type { Output } from '../metrics/output.ts';
import type { BackgroundTask } from '../sources/background-task.ts';
import type { NetworkNamespaces } from '../sources/namespaces/network-namespaces.ts';
import type { Toolstack } from '../sources/toolstack/toolstack.ts';
import type { Xentrace } from '../sources/xentrace/xentrace.ts';

/** Static description of a collector. Settings, docs and the exporter's own metrics derive from it. */
export interface CollectorDefinition<Specs extends Options = Options> extends ConfigurableCollector {
  readonly options: Specs;
  /** All metrics that it can export. */
  readonly metrics: readonly Descriptor[];
  create(context: CreateContext<Specs>): Collector;
}

/** Dependencies of a collector: its options, this machine, and the readings that collectors share (src/sources). */
export interface CreateContext<Specs extends Options = Options> {
  readonly options: OptionValues<Specs>;
  readonly host: Host;
  readonly log: Log;
  readonly toolstack: Toolstack;
  readonly namespaces: NetworkNamespaces;
  readonly xentrace: Xentrace;
}

/** A collector's view of one scrape: `host` refuses after the deadline, `out` takes the samples. */
export interface CollectContext {
  readonly host: Host;
  readonly out: Output;
}

/** A running collector with the state that it keeps between scrapes. */
export interface Collector {
  /** Whether its interface exists here now. Never throws. */
  availability(): Availability;
  /**
   * The part that cannot be read here and why, as a clause; undefined if nothing is missing. Called only if available.
   * Never throws.
   */
  limitations?(): string | undefined;
  /**
   * Reads the machine and adds samples, synchronously: anything that may wait belongs in `background`. A collector that
   * reads thousands of files is a generator that yields between devices, so that other work can use the event loop.
   * Errors affect only this collector.
   */
  collect(context: CollectContext): void | Iterable<void>;
  /** Frequent readings of short events that a scrape would almost always miss. */
  readonly sampler?: SamplerTask;
  /** Work outside the request path. Its failure is the collector's failure. */
  readonly background?: readonly BackgroundTask[];
  /** Stops background work and undoes changes to the machine when the exporter ends. */
  close?(): Promise<void>;
  /** Work outside the request path that another collector owns. If it fails, this one continues without it. */
  readonly sharedTasks?: readonly BackgroundTask[];
}

/** A quick synchronous reading of the machine, repeated as far as its CPU cost stays under `cpuBudget`. */
export interface SamplerTask {
  readonly name: string;
  /** Samples per second while something moves; while nothing does, one a second or fewer are enough. */
  readonly hertz: number;
  /** Share of one core that the samples may cost, with all that it takes the process to wake up for them. */
  readonly cpuBudget: number;
  /**
   * Takes a sample that stands for so many seconds. Returns whether something moves, so that the next one is to follow
   * at the full rate.
   */
  sample(seconds: number): boolean;
}

/** Types a definition, including its options. */
export const defineCollector = <Specs extends Options>(
  definition: CollectorDefinition<Specs>,
): CollectorDefinition<Specs> => definition;

/** A collector that is never available on this machine. */
export const absentCollector = (why: Unavailable): Collector => ({ availability: () => why, collect: () => {} });
