import type { Collector, CollectorDefinition } from '../../src/collectors/collector.ts';
import type { Host } from '../../src/host/host.ts';
import { encode } from '../../src/metrics/exposition.ts';
import { Families } from '../../src/metrics/families.ts';
import { parseExposition, type Exposition } from './exposition.ts';
import { recordingLog } from './recording-log.ts';

/** A collector at work on a host, set up with its defaults but for `options`. */
export const createCollector = (
  { create, options: specs }: CollectorDefinition,
  host: Host,
  options: Readonly<Record<string, unknown>> = {},
): Collector => {
  const defaults = Object.fromEntries(Object.entries(specs).map(([name, option]) => [name, option.default]));
  return create({ options: { ...defaults, ...options }, host, log: recordingLog() });
};

/** What a collector gives now, as text. Throws what it throws. */
export const collectText = async (collector: Collector, host: Host): Promise<string> => {
  const out = new Families();
  collector.collect({ host, out });
  return encode(out.list(), 'text');
};

export const collect = async (collector: Collector, host: Host): Promise<Exposition> =>
  parseExposition(await collectText(collector, host));
