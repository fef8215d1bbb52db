import type { Metric, RegistryContentType } from 'prom-client';
import Registry from 'prom-client/lib/registry.js';
import type { Family } from './families.ts';

/** The exposition formats we write, by the content type that names them. */
export const contentTypes = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const;
export type ExpositionFormat = keyof typeof contentTypes;

/**
 * What the encoder asks of a metric. Kernel counters are not ours to increment, so these are no prom-client metrics but constant ones. For
 * OpenMetrics prom-client strips `_total` from the name of the *registered object*, for good, and takes the name that get() returns: each
 * exposition therefore has a registry and wrappers of its own, and get() answers with the wrapper's name of that moment.
 */
const constantMetric = ({ descriptor: { name, help, type }, samples }: Family) => ({
  name,
  help,
  type,
  async get() {
    return { name: this.name, help, type, values: samples };
  },
});

/** Families as one page. */
export const encode = (families: Iterable<Family>, format: ExpositionFormat): Promise<string> => {
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(contentTypes[format]);
  for (const family of families) registry.registerMetric(constantMetric(family) as unknown as Metric);
  return registry.metrics();
};
