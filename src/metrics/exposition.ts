import { Registry, type Metric, type RegistryContentType } from 'prom-client';
import type { MetricType } from './descriptor.ts';
import type { Family } from './families.ts';

/** The exposition formats we write, by the content type that names them. */
export const contentTypes = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const;
export type ExpositionFormat = keyof typeof contentTypes;

/** What the encoder asks of a metric: kernel counters are not ours to increment, so this is no prom-client metric but a constant one. */
interface ConstantMetric {
  name: string;
  readonly help: string;
  readonly type: MetricType | 'summary';
  get(): Promise<{ name: string; values: readonly object[] }>;
}

// prom-client strips `_total` from the name of the *registered object* for OpenMetrics and takes the name that get() returns: each exposition
// therefore has a registry and wrappers of its own, and get() answers with the wrapper's name of that moment.
const constant = (
  name: string,
  help: string,
  type: ConstantMetric['type'],
  read: () => Promise<readonly object[]>,
) => ({
  name,
  help,
  type,
  async get() {
    return { name: this.name, help, type, values: await read() };
  },
});

const fromFamily = ({ descriptor: { name, help, type }, samples }: Family): ConstantMetric =>
  constant(name, help, type, () => Promise.resolve(samples));

// promtool check metrics refuses gauges named *_total, which prom-client's own handle, request and resource gauges are.
const isMisnamed = (name: string): boolean => /^nodejs_active_.*_total$/.test(name);

const fromRegistry = async (registry: Registry): Promise<ConstantMetric[]> =>
  (await registry.getMetricsAsJSON())
    .filter(({ name }) => !isMisnamed(name))
    .map(({ name, help, type, values }) =>
      constant(name, help, String(type) as ConstantMetric['type'], () =>
        // NaN is what prom-client gives for statistics without observations, and it writes `Nan`, which no format knows.
        Promise.resolve(values.filter(({ value }) => !Number.isNaN(value))),
      ),
    );

/** Families, and the metrics of a prom-client registry, as one page. */
export const encode = async (
  families: Iterable<Family>,
  format: ExpositionFormat,
  own: Registry = new Registry(),
): Promise<string> => {
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(contentTypes[format]);
  for (const family of families) registry.registerMetric(fromFamily(family) as unknown as Metric);
  for (const metric of await fromRegistry(own)) registry.registerMetric(metric as unknown as Metric);
  return registry.metrics();
};
