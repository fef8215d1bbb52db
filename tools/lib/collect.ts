import type { Collector, CollectorDefinition, CreateContext } from '../../src/collectors/collector.ts';
import type { BackgroundTask } from '../../src/sources/background-task.ts';
import type { Host } from '../../src/host/host.ts';
import { encode, type ExpositionFormat } from '../../src/metrics/exposition.ts';
import { Families, type Family } from '../../src/metrics/families.ts';
import { Output, SeriesState } from '../../src/metrics/output.ts';
import { namespacesOf, toolstackOf, xentraceOf } from './sources.ts';
import { parseExposition, type Exposition } from './exposition.ts';
import { recordingLog } from './recording-log.ts';

/** A collector at work on a host, set up with its defaults but for `options`, and with sources of its own but for those that are given. */
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

/** Why a collector is not available here; undefined if it is. */
export const whyAbsent = (collector: Collector): string | undefined => {
  const availability = collector.availability();
  return availability === true ? undefined : availability.reason;
};

/** Runs every background task of these collectors once, shared ones first; returns the errors of those that failed. */
export const runBackground = async (collectors: readonly Collector[]): Promise<Error[]> => {
  const tasks = new Set<BackgroundTask>([
    ...collectors.flatMap(({ sharedTasks = [] }) => sharedTasks),
    ...collectors.flatMap(({ background = [] }) => background),
  ]);
  const errors: Error[] = [];
  for (const task of tasks) await task.run().catch((error: unknown) => errors.push(error as Error));
  return errors;
};

/** What collectors remember from one scrape to the next. */
const states = new WeakMap<Collector, SeriesState>();
/** What they left out in the last scrape. */
const skips = new WeakMap<Collector, Output['skipped']>();

/** What a collector gives now, with a limit of so many series. Throws what it throws. */
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

/** Readings that did not continue a counter of the collector. */
export const resetsOf = (collector: Collector): number => states.get(collector)?.resets ?? 0;

/** The items that a collector left out in its last scrape, and the first one's error; undefined if there are none. */
export const skippedBy = (collector: Collector): Output['skipped'] => skips.get(collector);

/** A whole page. */
export const encoded = async (families: Iterable<Family>, format: ExpositionFormat): Promise<string> => {
  let page = '';
  for await (const piece of encode(families, format)) page += piece;
  return page;
};

/** As text. */
export const collectText = (collector: Collector, host: Host, maxSeries?: number): Promise<string> =>
  encoded(collectFamilies(collector, host, maxSeries), 'text');

export const collect = async (collector: Collector, host: Host, maxSeries?: number): Promise<Exposition> =>
  parseExposition(await collectText(collector, host, maxSeries));
