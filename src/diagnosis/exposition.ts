import { Labels, type Sample } from '../promql/labels.ts';

/** A page that is no exposition of Prometheus's text format. */
export class ExpositionError extends Error {
  override readonly name = 'ExpositionError';
}

const nameAndRest = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+([^ \t]+)(?:[ \t]+-?\d+)?[ \t]*$/;
const labelPattern = /([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,[ \t]*|$)/y;
const escapes: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };
const shownLength = 60;

const labelsOf = (text: string): [string, string][] | undefined => {
  const labels: [string, string][] = [];
  labelPattern.lastIndex = 0;
  while (labelPattern.lastIndex < text.length) {
    const [, name, value] = labelPattern.exec(text) ?? [];
    if (name === undefined || value === undefined) return undefined;
    labels.push([name, value.includes('\\') ? value.replaceAll(/\\./g, (each) => escapes[each] ?? each) : value]);
  }
  return labels;
};

const special: Readonly<Record<string, number>> = { '+Inf': Infinity, Inf: Infinity, '-Inf': -Infinity, NaN: NaN };
const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

const valueOf = (text: string): number | undefined =>
  special[text] ?? (numberPattern.test(text) ? Number(text) : undefined);

/**
 * The samples of a page in Prometheus's text format whose metrics are wanted. Labels of the target replace those of the
 * page, which are kept as `exported_...`, as Prometheus does. Throws an ExpositionError that names the line.
 */
export const readExposition = (
  page: string,
  isWanted: (metric: string) => boolean,
  target: Readonly<Record<string, string>>,
): Sample[] => {
  const samples: Sample[] = [];
  const own = Object.entries(target);
  for (const [index, line] of page.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labelText = '', valueText = ''] = nameAndRest.exec(line) ?? [];
    const labels = name === undefined ? undefined : labelsOf(labelText);
    const value = valueOf(valueText);
    if (labels === undefined || value === undefined) {
      const shown = line.length > shownLength ? `${line.slice(0, shownLength)}...` : line;
      throw new ExpositionError(
        `line ${index + 1}: expected a metric, labels and a number, found ${JSON.stringify(shown)}`,
      );
    }
    if (!isWanted(name!)) continue;
    const scraped = labels.map(([label, each]) => [label in target ? `exported_${label}` : label, each] as const);
    samples.push({ name: name!, labels: Labels.of([...scraped, ...own]), value });
  }
  return samples;
};
