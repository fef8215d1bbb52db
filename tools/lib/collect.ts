import type { Collector, CollectorDefinition, CreateContext } from '../../src/collectors/collector.ts';
import type { BackgroundTask } from '../../src/sources/background-task.ts';
import type { Host } from '../../src/host/host.ts';
import { encode, type ExpositionFormat } from '../../src/metrics/exposition.ts';
import { Families, type Family } from '../../src/metrics/families.ts';
import { Output, SeriesState } from '../../src/metrics/output.ts';
import { namespacesOf, toolstackOf, xentraceOf } from './sources.ts';
import { parseExposition, type Exposition } from './exposition.ts';
import { recordingLog } from './recording-log.ts';

/** A running collector on a host, with default settings except `options`, and with its own sources unless given. */
export const createCollector = (
  { create, options: specs }: CollectorDefinition,
  host: Host,
  options: Readonly<Record<string, unknown>> = {},
  {
    log = recordingLog(),
    toolstack = toolstackOf(host),
    namespaces = namespacesOf(host),
    xentrace = xentraceOf(host, {}, toolstack),
  }: Partial<Omit<CreateContext, 'host' | 'options'>> = {},
): Collector => {
  const defaults = Object.fromEntries(Object.entries(specs).map(([name, option]) => [name, option.default]));
  return create({ options: { ...defaults, ...options }, host, log, toolstack, namespaces, xentrace });
};

/** Why a collector is unavailable here; undefined if it is available. */
export const whyAbsent = (collector: Collector): string | undefined => {
  const availability = collector.availability();
  return availability === true ? undefined : availability.reason;
};

/** Runs every background task of these collectors once, shared ones first. Returns the errors. */
export const runBackground = async (collectors: readonly Collector[]): Promise<Error[]> => {
  const tasks = new Set<BackgroundTask>([
    ...collectors.flatMap(({ sharedTasks = [] }) => sharedTasks),
    ...collectors.flatMap(({ background = [] }) => background),
  ]);
  const errors: Error[] = [];
  for (const task of tasks) await task.run().catch((error: unknown) => errors.push(error as Error));
  return errors;
};

/** State of collectors between scrapes. */
const states = new WeakMap<Collector, SeriesState>();
/** Items skipped in the last scrape. */
const skips = new WeakMap<Collector, Output['skipped']>();

/** A collector's current families with a series limit. Throws the collector's errors. */
export const collectFamilies = (collector: Collector, host: Host, maxSeries?: number): Family[] => {
  const state = states.get(collector) ?? new SeriesState();
  states.set(collector, state);
  const families = new Families(maxSeries);
  try {
    const out = new Output(state, families, host.clock.monotonicSeconds());
    for (const _ of collector.collect({ host, out }) ?? []);
    skips.set(collector, out.skipped);
  } catch (error) {
    state.abandon();
    throw error;
  }
  state.end(families);
  return families.list();
};

/** Discontinuous readings of the collector's counters. */
export const resetsOf = (collector: Collector): number => states.get(collector)?.resets ?? 0;

/** Items that a collector skipped in its last scrape with the first error; undefined if there are none. */
export const skippedBy = (collector: Collector): Output['skipped'] => skips.get(collector);

/** A whole page. */
export const encoded = async (families: Iterable<Family>, format: ExpositionFormat): Promise<string> => {
  let page = '';
  for await (const piece of encode(families, format)) page += piece;
  return page;
};

/** A collector's page as text. */
export const collectText = (collector: Collector, host: Host, maxSeries?: number): Promise<string> =>
  encoded(collectFamilies(collector, host, maxSeries), 'text');

export const collect = async (collector: Collector, host: Host, maxSeries?: number): Promise<Exposition> =>
  parseExposition(await collectText(collector, host, maxSeries));
