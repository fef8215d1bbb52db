import type { Collector, CollectorDefinition } from '../../src/collectors/collector.ts';
import { defineCollector } from '../../src/collectors/collector.ts';
import type { Host } from '../../src/host/host.ts';
import type { Log } from '../../src/host/log.ts';
import { gauge } from '../../src/metrics/descriptor.ts';
import { ownProcess } from '../../src/host/own-process.ts';
import { Background } from '../../src/scrape/background.ts';
import { CollectorRun } from '../../src/scrape/collector-run.ts';
import { Scraper } from '../../src/scrape/scraper.ts';
import { fakeHost } from '../../tools/lib/fake-host.ts';
import { createCollector } from '../../tools/lib/collect.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';

export const fakeMetric = (name: string) => gauge(`xen_${name}`, { meaning: `What ${name} gives.` });

/** A collector with one gauge, `xen_NAME` 1. `parts` replaces any of it. */
export const fakeCollector = (name: string, parts: Partial<Collector> = {}): CollectorDefinition =>
  defineCollector({
    name,
    help: `The ${name} of tests.`,
    enabledByDefault: true,
    maxSeries: 10,
    options: {},
    metrics: [fakeMetric(name)],
    create: () => ({ availability: () => true, collect: ({ out }) => out.gauge(fakeMetric(name), {}, 1), ...parts }),
  });

export const fakeRun = (
  definition: CollectorDefinition,
  {
    host = fakeHost('/nonexistent'),
    log = recordingLog() as Log,
    background = new Background(host.clock),
  }: { host?: Host; log?: Log; background?: Background } = {},
): CollectorRun =>
  new CollectorRun({
    definition,
    collector: createCollector(definition, host, {}, { log }),
    host,
    log,
    maxSeries: definition.maxSeries,
    background,
  });

export const fakeScraper = (
  definitions: readonly CollectorDefinition[],
  { host = fakeHost('/nonexistent'), mostUnderWay = 40 } = {},
): Scraper => {
  const background = new Background(host.clock);
  return new Scraper({
    runs: definitions.map((definition) => fakeRun(definition, { host, background })),
    host,
    background,
    own: [],
    readOwnProcess: ownProcess(),
    version: '1.2.3',
    mostUnderWay,
  });
};
