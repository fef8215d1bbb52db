import type { ExpositionFormat } from '../metrics/exposition.ts';

interface MediaRange {
  readonly type: string;
  readonly version: string | undefined;
  readonly quality: number;
}

// RFC 9110 12.5.1. Unknown parameters (`escaping`, `charset`) are ignored. In practice quoted values contain no commas.
const parseRange = (text: string): MediaRange => {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const parameter = (name: string): string | undefined =>
    parameters
      .find((part) => part.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .replace(/^"|"$/g, '');
  const quality = Number(parameter('q') ?? 1);
  return { type, version: parameter('version'), quality: quality >= 0 && quality <= 1 ? quality : 0 };
};

// A range without a version matches any. Of equally preferred formats the first wins: browsers and curl send */* and
// want text.
const formats = [
  { format: 'text', version: '0.0.4', types: { 'text/plain': 3, 'text/*': 2, '*/*': 1 } },
  { format: 'openMetrics', version: '1.0.0', types: { 'application/openmetrics-text': 3, 'application/*': 2 } },
] as const satisfies { format: ExpositionFormat; version: string; types: Record<string, number> }[];

const matchesOf = (ranges: readonly MediaRange[], version: string, types: Readonly<Record<string, number>>) =>
  ranges
    .filter((range) => Object.hasOwn(types, range.type) && (range.version === undefined || range.version === version))
    .sort((a, b) => types[b.type]! - types[a.type]!);

/**
 * The preferred format of an Accept header. Text if there is no header or no match, as in Prometheus's own libraries.
 */
export const negotiate = (accept: string | undefined): ExpositionFormat => {
  const ranges = (accept ?? '').split(',').map(parseRange);
  const offers = formats.map(({ format, version, types }) => ({
    format,
    quality: matchesOf(ranges, version, types)[0]?.quality ?? 0,
  }));
  const [best] = offers.sort((a, b) => b.quality - a.quality);
  return best && best.quality > 0 ? best.format : 'text';
};
