import type { Metric, RegistryContentType } from 'prom-client';
import Registry from 'prom-client/lib/registry.js';
import type { Family } from './families.ts';

/** Exposition formats by content type. */
export const contentTypes = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const;
export type ExpositionFormat = keyof typeof contentTypes;

/**
 * The interface that the encoder needs of a metric. Kernel counters are not ours to increment, so these are constant
 * metrics, not prom-client ones. For OpenMetrics prom-client permanently strips `_total` from the name of the
 * *registered object* and takes the name that get() returns. So each exposition has its own registry and wrappers, and
 * get() returns the wrapper's current name.
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

// Takes a few milliseconds to encode.
const samplesPerPiece = 2000;
const end = '# EOF\n';

/** Encodes families in pieces, so that the event loop can run between the pieces of a large page. */
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
