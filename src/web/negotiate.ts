import type { ExpositionFormat } from '../metrics/exposition.ts';

interface MediaRange {
  readonly type: string;
  readonly version: string | undefined;
  readonly quality: number;
}

// RFC 9110 12.5.1. Parameters that we do not know (`escaping`, `charset`) are ignored; quoted values hold no commas in practice.
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

// A range without a version takes any. Of two formats that a client likes equally, it gets the first: browsers and curl say */* and mean text.
const formats = [
  { format: 'text', version: '0.0.4', types: { 'text/plain': 3, 'text/*': 2, '*/*': 1 } },
  { format: 'openMetrics', version: '1.0.0', types: { 'application/openmetrics-text': 3, 'application/*': 2 } },
] as const satisfies { format: ExpositionFormat; version: string; types: Record<string, number> }[];

const matchesOf = (ranges: readonly MediaRange[], version: string, types: Readonly<Record<string, number>>) =>
  ranges
    .filter((range) => Object.hasOwn(types, range.type) && (range.version === undefined || range.version === version))
    .sort((a, b) => types[b.type]! - types[a.type]!);

/** The format that an Accept header likes best; text for no header and for one that takes neither, as Prometheus's own libraries do. */
export const negotiate = (accept: string | undefined): ExpositionFormat => {
  const ranges = (accept ?? '').split(',').map(parseRange);
  const offers = formats.map(({ format, version, types }) => ({
    format,
    quality: matchesOf(ranges, version, types)[0]?.quality ?? 0,
  }));
  const [best] = offers.sort((a, b) => b.quality - a.quality);
  return best && best.quality > 0 ? best.format : 'text';
};
