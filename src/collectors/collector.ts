import type { Host } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import type { Descriptor } from '../metrics/descriptor.ts';
import type { Families } from '../metrics/families.ts';
import type { BackgroundTask } from '../sources/background-task.ts';
import type { NetworkNamespaces } from '../sources/namespaces/network-namespaces.ts';
import type { Options, OptionValues } from '../config/option.ts';
import type { Toolstack } from '../sources/toolstack/toolstack.ts';

/**
 * When a collector reads the machine. `live`: during the scrape (files and netlink, a few milliseconds). `guarded`: by commands that cost a
 * fork or a hypercall, in the background at a least interval. `scheduled`: inventory, every few minutes.
 */
export type Cadence = 'live' | 'guarded' | 'scheduled';

/** What a collector is, known without running it: flags, docs and self-metrics are made of this. */
export interface CollectorDefinition<Specs extends Options = Options> {
  /** As in `--collector.NAME`. */
  readonly name: string;
  /** One sentence: what it reads. */
  readonly help: string;
  readonly enabledByDefault: boolean;
  readonly cadence: Cadence;
  /** Default of `--collector.NAME.max-series`. */
  readonly maxSeries: number;
  /** Its own flags, `--collector.NAME.OPTION`. */
  readonly options: Specs;
  /** Every metric that it can give; it gives no other. */
  readonly metrics: readonly Descriptor[];
  create(context: {
    options: OptionValues<Specs>;
    host: Host;
    log: Log;
    toolstack: Toolstack;
    namespaces: NetworkNamespaces;
  }): Collector;
}

/** One scrape's view of a collector: `host` refuses after the deadline, `out` takes the samples. */
export interface CollectContext {
  readonly host: Host;
  readonly out: Families;
}

/** A collector at work, with the state that it keeps between scrapes. */
export interface Collector {
  /** Whether its interface exists here now; where not, the reason in words. Never throws. */
  applies(): true | string;
  /** Where it applies: what of it cannot be read here and why, in words; undefined where nothing is missing. Never throws. */
  lacks?(): string | undefined;
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
  /** Work off the request path that another collector answers for: where it fails, this one goes on with what it has. */
  readonly profitsFrom?: readonly BackgroundTask[];
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

/** A collector of what is never to be had on this machine, and in words why. */
export const absentCollector = (why: string): Collector => ({ applies: () => why, collect: () => {} });
