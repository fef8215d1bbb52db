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
 * The interface that the encoder needs of a metric. Kernel counters are not ours to increment, so these are no prom-client metrics but constant ones. For
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

const encodePiece = (families: readonly Family[], format: ExpositionFormat): Promise<string> => {
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(contentTypes[format]);
  for (const family of families) registry.registerMetric(constantMetric(family) as unknown as Metric);
  return registry.metrics();
};

// Some milliseconds of work.
const samplesPerPiece = 2000;
const end = '# EOF\n';

/** A page of families, in pieces: of a large one the event loop can turn between them. */
export async function* encode(families: Iterable<Family>, format: ExpositionFormat): AsyncGenerator<string> {
  let piece: Family[] = [];
  let samples = 0;
  let isFirst = true;
  const finish = async (): Promise<string> => {
    const text = await encodePiece(piece, format);
    const separator = isFirst || format === 'openMetrics' ? '' : '\n';
    [piece, samples, isFirst] = [[], 0, false];
    return separator + (format === 'openMetrics' ? text.slice(0, -end.length) : text);
  };
  for (const family of families) {
    piece.push(family);
    samples += family.samples.length;
    if (samples >= samplesPerPiece) yield await finish();
  }
  if (piece.length > 0) yield await finish();
  if (format === 'openMetrics') yield end;
}
