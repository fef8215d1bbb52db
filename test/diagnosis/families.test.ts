import { expect, test } from 'vitest';
import { readExposition } from '../../src/diagnosis/exposition.ts';
import { readFamilies } from '../../src/diagnosis/families.ts';
import { gauge, histogram, total } from '../../src/metrics/descriptor.ts';
import { encode } from '../../src/metrics/exposition.ts';
import { Families } from '../../src/metrics/families.ts';
import { noLabels } from '../../src/metrics/labels.ts';
import type { Sample } from '../../src/promql/labels.ts';

const target = { job: 'xen', instance: 'a:1', xen_role: 'host' };

const families = (): Families => {
  const out = new Families();
  out.add(gauge('one', { meaning: 'One.' }), noLabels, 1.5);
  out.add(total('two_total', { meaning: 'Two.', labels: ['name'] }), { name: 'quote " and \\ and\nline' }, 2);
  out.addHistogram(
    histogram('three', { meaning: 'Three.', labels: ['queue'] }),
    { queue: '0' },
    {
      buckets: [
        { le: '0.5', count: 1 },
        { le: '+Inf', count: 3 },
      ],
      sum: 4.25,
    },
  );
  return out;
};

const plain = (samples: readonly Sample[]) => samples.map(({ name, labels, value }) => [name, labels.pairs, value]);

test('families have the samples of the page that they make', async () => {
  const pieces: string[] = [];
  for await (const piece of encode(families().list(), 'text')) pieces.push(piece);
  const all = (): boolean => true;
  const samples = plain(readFamilies(families().list(), all, target));
  expect(samples).toEqual(plain(readExposition(pieces.join(''), all, target)));
  expect(samples.map(([name]) => name)).toEqual([
    'one',
    'two_total',
    'three_bucket',
    'three_bucket',
    'three_sum',
    'three_count',
  ]);
});

test('metrics that are not wanted are left out', () => {
  const samples = readFamilies(families().list(), (name) => name === 'three_sum', target);
  expect(plain(samples)).toEqual([
    ['three_sum', ['instance', 'a:1', 'job', 'xen', 'queue', '0', 'xen_role', 'host'], 4.25],
  ]);
});
