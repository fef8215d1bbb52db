import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { GzipPage, PlainPage } from '../../src/scrape/page.ts';

const piece = (i: number, bytes: number): Buffer => Buffer.from(`xen_events_total{i="${i}"} 1\n`.padEnd(bytes, `${i}`));

test.each([
  ['nothing', 0, 0],
  ['an ordinary page', 3, 1000],
  ['a page as large as is compressed at once', 2, 128 << 10],
  ['a huge page', 30, 50_000],
])('%s is the same, compressed or not', async (_what, count, bytes) => {
  const [plain, gzip] = [new PlainPage(), new GzipPage()];
  for (let i = 0; i < count; i += 1) for (const page of [plain, gzip]) page.add(piece(i, bytes));
  const whole = await plain.end();
  expect(whole).toHaveLength(count * bytes);
  expect(gunzipSync(await gzip.end()).equals(whole)).toBe(true);
});
