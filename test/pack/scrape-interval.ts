/**
 * Scrape interval of scenarios and recordings in seconds: SCRAPE_INTERVAL, or the interval at which they are written.
 */
export const scrapeIntervalOr = (written: number): number => Number(process.env['SCRAPE_INTERVAL'] ?? written);

/** The result of a scrape: a value, nothing, or the mark of a series' end. */
export type Scraped = number | '_' | 'stale';

/** Values of a series in promtool's notation, such as `0+20x10 stale _x5`. */
export const scrapesOf = (notation: string): Scraped[] =>
  notation.split(' ').flatMap((text): Scraped[] => {
    const [, start = '', growth, times] =
      /^(_|stale|-?[\d.]+(?:e[+-]?\d+)?)([+-][\d.]+(?:e[+-]?\d+)?)?(?:x(\d+))?$/.exec(text) ?? [];
    if (start === '') throw new Error(`expected values in promtool's notation, found ${text}`);
    if (start === 'stale') return ['stale'];
    if (start === '_') return Array.from({ length: Number(times ?? 1) }, () => '_');
    return Array.from({ length: Number(times ?? 0) + 1 }, (_, index) => Number(start) + index * Number(growth ?? 0));
  });

const between = (one: Scraped, next: Scraped | undefined, share: number, isCounter: boolean): Scraped => {
  if (typeof one !== 'number') return '_';
  // A counter that restarts grows from 0 only at the next scrape.
  return isCounter && typeof next === 'number' && next >= one ? one + (next - one) * share : one;
};

/**
 * The scrapes of an exporter at another interval. A shorter interval interpolates between two scrapes: counters
 * linearly, gauges keep their value. A longer one must be a multiple and omits scrapes.
 */
export const atInterval = (
  scrapes: readonly Scraped[],
  { from, to, isCounter }: { from: number; to: number; isCounter: boolean },
): Scraped[] => {
  if (to >= from) {
    if (to % from !== 0) throw new Error(`expected a multiple of ${from} s, found ${to} s`);
    return scrapes.filter((_, index) => index % (to / from) === 0);
  }
  if (from % to !== 0) throw new Error(`expected a divisor of ${from} s, found ${to} s`);
  const each = from / to;
  return scrapes.flatMap((one, index) => [
    one,
    ...Array.from({ length: each - 1 }, (_, step) => between(one, scrapes[index + 1], (step + 1) / each, isCounter)),
  ]);
};
