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
  /** Every metric that it can give; it gives no other. */
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

/** One scrape's view of a collector: `host` refuses after the deadline, `out` takes the samples. */
export interface CollectContext {
  readonly host: Host;
  readonly out: Output;
}

/** A collector at work, with the state that it keeps between scrapes. */
export interface Collector {
  /** Whether its interface exists here now. Never throws. */
  availability(): Availability;
  /** The part that cannot be read here and why, as a clause. Undefined if nothing is missing. Called only if available. Never throws. */
  limitations?(): string | undefined;
  /**
   * Reads the machine and adds samples, synchronously: what may wait belongs in `background`. One that reads thousands of files is a generator
   * that yields between devices, so that others get their turn of the event loop. What it throws is this collector's failure and nobody else's.
   */
  collect(context: CollectContext): void | Iterable<void>;
  /** Work many times a second, for what a scrape would see only by luck. */
  readonly sampler?: SamplerTask;
  /** Work off the request path. Its failure is this collector's. */
  readonly background?: readonly BackgroundTask[];
  /** Ends its background work and takes away what it has put into the machine, when the exporter ends. */
  close?(): Promise<void>;
  /** Work off the request path for which another collector answers: if it fails, this one continues with what it has. */
  readonly sharedTasks?: readonly BackgroundTask[];
}

/** A quick synchronous reading of the machine, repeated at `hertz` as far as its CPU cost stays under `cpuBudget`. */
export interface SamplerTask {
  readonly name: string;
  readonly hertz: number;
  /** Share of one core that the samples may cost. */
  readonly cpuBudget: number;
  sample(): void;
}

/** A definition whose options keep their types. */
export const defineCollector = <Specs extends Options>(
  definition: CollectorDefinition<Specs>,
): CollectorDefinition<Specs> => definition;

/** A collector of what is never available on this machine. */
export const absentCollector = (why: Unavailable): Collector => ({ availability: () => why, collect: () => {} });
