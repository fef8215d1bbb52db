import { expect, test } from 'vitest';
import { total, gauge, histogram } from '../../src/metrics/descriptor.ts';
import { Families } from '../../src/metrics/families.ts';
import { LabelSets } from '../../src/metrics/labels.ts';

const depth = gauge('xen_depth', { meaning: 'Depth.', labels: ['port'] });
const fill = histogram('xen_fill', { meaning: 'Fill.', labels: ['port'] });

test('series beyond the limit are left out and counted', () => {
  const out = new Families(2);
  for (const port of ['1', '2', '3', '4']) out.add(depth, { port }, 1);
  expect({ series: out.series, dropped: out.dropped }).toEqual({ series: 2, dropped: 2 });
  expect(out.list()[0]!.samples.map((sample) => sample.sharedLabels)).toEqual([{ port: '1' }, { port: '2' }]);
});

test("beyond the limit there is room for the exporter's own series", () => {
  const out = new Families(2);
  const own = gauge('xen_exporter_depth', { meaning: 'Depth.' });
  for (const port of ['1', '2', '3']) out.add(depth, { port }, 1);
  out.add(own, {}, 1);
  out.add(depth, { port: '4' }, 1);
  expect({ series: out.series, dropped: out.dropped, room: out.room }).toEqual({ series: 3, dropped: 2, room: 0 });
  expect(out.list().map(({ descriptor }) => descriptor.name)).toEqual(['xen_depth', 'xen_exporter_depth']);
});

test('a histogram that does not fit is left out whole', () => {
  const out = new Families(4);
  const reading = {
    buckets: [
      { le: '1.0', count: 2 },
      { le: '+Inf', count: 3 },
    ],
    sum: 4,
  };
  out.addHistogram(fill, { port: '1' }, reading);
  out.addHistogram(fill, { port: '2' }, reading);
  expect({ series: out.series, dropped: out.dropped }).toEqual({ series: 4, dropped: 4 });
  expect(out.list()).toEqual([
    {
      descriptor: fill,
      samples: [
        { metricName: 'xen_fill_bucket', sharedLabels: { port: '1' }, labels: { le: '1.0' }, value: 2 },
        { metricName: 'xen_fill_bucket', sharedLabels: { port: '1' }, labels: { le: '+Inf' }, value: 3 },
        { metricName: 'xen_fill_sum', sharedLabels: { port: '1' }, value: 4 },
        { metricName: 'xen_fill_count', sharedLabels: { port: '1' }, value: 3 },
      ],
    },
  ]);
});

test('what the kernel does not say gives no series', () => {
  const out = new Families();
  out.add(total('xen_a_total', { meaning: 'A.' }), {}, undefined);
  expect(out.list()).toEqual([]);
});

test('the same values give the same label object in each scrape, and a new one after they were gone for one', () => {
  const sets = new LabelSets(['domain']);
  const first = sets.get('web');
  sets.sweep();
  expect(sets.get('web')).toBe(first);
  sets.sweep();
  sets.sweep();
  expect(sets.get('web')).not.toBe(first);
});

test('label values that differ are never the same series', () => {
  const sets = new LabelSets(['a', 'b']);
  expect(sets.get('x\0', 'y')).not.toBe(sets.get('x', '\0y'));
  expect(sets.get('x\0', 'y')).toEqual({ a: 'x\ufffd', b: 'y' });
});
