import { expect, test } from 'vitest';
import { ExpositionError, readExposition } from '../../src/diagnosis/exposition.ts';
import type { Sample } from '../../src/promql/labels.ts';

const target = { job: 'xen', instance: 'a:1', xen_role: 'guest' };

const read = (page: string, isWanted: (name: string) => boolean = () => true): Sample[] =>
  readExposition(page, isWanted, target);

const plain = ({ name, labels, value }: Sample) => [name, labels.pairs.join(' '), value];

test('samples have their labels and those of the target', () => {
  expect(
    read('# HELP x Something.\n# TYPE x gauge\nx 1\n\nx{a="b",c=""} -2.5e-3\ny_bucket{le="+Inf"} 7\n# EOF\n').map(
      plain,
    ),
  ).toEqual([
    ['x', 'instance a:1 job xen xen_role guest', 1],
    ['x', 'a b instance a:1 job xen xen_role guest', -0.0025],
    ['y_bucket', 'instance a:1 job xen le +Inf xen_role guest', 7],
  ]);
});

test('values that are no finite numbers are read', () => {
  expect(read('x{a="1"} NaN\nx{a="2"} +Inf\nx{a="3"} -Inf\n').map(({ value }) => value)).toEqual([
    NaN,
    Infinity,
    -Infinity,
  ]);
});

test('escaped characters of values are what they stand for', () => {
  const [sample] = read('x{a="back\\\\slash, \\"quote\\", new\\nline, } and ="} 1\n');
  expect(sample!.labels.get('a')).toBe('back\\slash, "quote", new\nline, } and =');
});

test('a page cannot pose as another target, nor as a host', () => {
  const [sample] = read('up{instance="dom0",job="other",xen_role="host"} 1\n');
  expect(sample!.labels.get('instance')).toBe('a:1');
  expect(sample!.labels.get('xen_role')).toBe('guest');
  expect(sample!.labels.get('exported_instance')).toBe('dom0');
  expect(sample!.labels.get('exported_xen_role')).toBe('host');
});

test('metrics that are not wanted are left out', () => {
  expect(read('x 1\ny 2\n', (name) => name === 'y').map(({ name }) => name)).toEqual(['y']);
});

test.each([
  ['<html><body>It works!</body></html>', '<html><body>It works!</body></html>'],
  ['x{a="b} 1', 'x{a=\\"b} 1'],
  ['x{a=b} 1', 'x{a=b} 1'],
  ['x{a="b" c="d"} 1', 'x{a=\\"b\\" c=\\"d\\"} 1'],
  ['x one', 'x one'],
  ['x', 'x'],
  ['x 0x10', 'x 0x10'],
  ['1x 1', '1x 1'],
  [`x{a="${'b'.repeat(99)}"} one`, `x{a=\\"${'b'.repeat(55)}...`],
])('%s is refused with its line', (line, shown) => {
  expect(() => read(`ok 1\n${line}\n`)).toThrow(
    new ExpositionError(`line 2: expected a metric, labels and a number, found "${shown}"`),
  );
});

test('what is wrong in a metric that is not wanted is refused too', () => {
  expect(() => read('x{a=b} 1\n', () => false)).toThrow(ExpositionError);
});
