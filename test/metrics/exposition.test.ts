import { expect, test } from 'vitest';
import { total, gauge, histogram } from '../../src/metrics/descriptor.ts';
import { contentTypes } from '../../src/metrics/exposition.ts';
import { Families } from '../../src/metrics/families.ts';
import { encoded } from '../../tools/lib/collect.ts';

const families = () => {
  const out = new Families();
  out.add(total('xen_drops_total', { meaning: 'Drops.', labels: ['port'] }), { port: '80' }, 3);
  out.add(gauge('xen_depth', { meaning: 'Depth.' }), {}, 0.5);
  out.addHistogram(
    histogram('xen_fill_ratio', { meaning: 'Fill.', labels: ['port'] }),
    { port: '80' },
    {
      buckets: [
        { le: '0.0', count: 1 },
        { le: '1.0', count: 2 },
        { le: '+Inf', count: 2 },
      ],
      sum: 1,
    },
  );
  return out.list();
};

const text = `# HELP xen_drops_total Drops.
# TYPE xen_drops_total counter
xen_drops_total{port="80"} 3

# HELP xen_depth Depth.
# TYPE xen_depth gauge
xen_depth 0.5

# HELP xen_fill_ratio Fill.
# TYPE xen_fill_ratio histogram
xen_fill_ratio_bucket{le="0.0",port="80"} 1
xen_fill_ratio_bucket{le="1.0",port="80"} 2
xen_fill_ratio_bucket{le="+Inf",port="80"} 2
xen_fill_ratio_sum{port="80"} 1
xen_fill_ratio_count{port="80"} 2
`;

const openMetrics = `# HELP xen_drops Drops.
# TYPE xen_drops counter
xen_drops_total{port="80"} 3
# HELP xen_depth Depth.
# TYPE xen_depth gauge
xen_depth 0.5
# HELP xen_fill_ratio Fill.
# TYPE xen_fill_ratio histogram
xen_fill_ratio_bucket{le="0.0",port="80"} 1
xen_fill_ratio_bucket{le="1.0",port="80"} 2
xen_fill_ratio_bucket{le="+Inf",port="80"} 2
xen_fill_ratio_sum{port="80"} 1
xen_fill_ratio_count{port="80"} 2
# EOF
`;

test('text, OpenMetrics and text again are the same bytes each time, from the same families', async () => {
  const same = families();
  expect(await encoded(same, 'text')).toBe(text);
  expect(await encoded(same, 'openMetrics')).toBe(openMetrics);
  expect(await encoded(same, 'text')).toBe(text);
  expect(await encoded(same, 'openMetrics')).toBe(openMetrics);
});

test('the content types are the exact ones', () => {
  expect(contentTypes).toEqual({
    text: 'text/plain; version=0.0.4; charset=utf-8',
    openMetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  });
});

test('a page in several pieces is the page in one', async () => {
  const many = (count: number) => {
    const out = new Families();
    for (const name of ['a', 'b', 'c']) {
      const metric = gauge(`xen_${name}`, { meaning: 'Many.', labels: ['i'] });
      for (let i = 0; i < count; i += 1) out.add(metric, { i: String(i) }, i);
    }
    return out.list();
  };
  const expected = (count: number): string =>
    ['a', 'b', 'c']
      .map((name) => {
        const samples = Array.from({ length: count }, (_, i) => `xen_${name}{i="${i}"} ${i}\n`);
        return `# HELP xen_${name} Many.\n# TYPE xen_${name} gauge\n${samples.join('')}`;
      })
      .join('\n');
  for (const count of [1, 999, 1000, 2000, 2001]) expect(await encoded(many(count), 'text')).toBe(expected(count));
  const openMetrics = await encoded(many(2001), 'openMetrics');
  expect(openMetrics).toBe(`${expected(2001).replaceAll('\n\n', '\n')}# EOF\n`);
});
