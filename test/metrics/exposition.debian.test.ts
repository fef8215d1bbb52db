import { expect, test } from 'vitest';
import { gauge } from '../../src/metrics/descriptor.ts';
import { Families } from '../../src/metrics/families.ts';
import { LabelSets } from '../../src/metrics/labels.ts';
import { encoded } from '../../tools/lib/collect.ts';
import { promtoolCheckMetrics } from '../../tools/lib/prometheus.ts';

test('hostile label values stay inside their quotes', async () => {
  const out = new Families();
  const hostile = 'a"} 1\nforged{x="\\\0\ud800';
  out.add(gauge('xen_name', { meaning: 'Name.', labels: ['name'] }), new LabelSets(['name']).get(hostile), 1);
  const page = await encoded(out.list(), 'text');
  expect(page.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toEqual([
    'xen_name{name="a\\"} 1\ufffdforged{x=\\"\\\\\ufffd\ufffd"} 1',
  ]);
  expect(await promtoolCheckMetrics(page)).toMatchObject({ status: 0 });
});
