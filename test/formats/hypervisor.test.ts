import { expect, test } from 'vitest';
import { parseFeatures } from '../../src/formats/hypervisor.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

test.each([
  ['pv-storm', { hvmCallbackVector: false, dom0: false }],
  ['pvh-storm', { hvmCallbackVector: true, dom0: false }],
  ['hvm-idle', { hvmCallbackVector: true, dom0: false }],
])('reads the features of %s', (guest, features) => {
  expect(parseFeatures(readText(`guests/${guest}/sys/hypervisor/properties/features`))).toEqual(features);
});

test('knows Dom0', () => {
  expect(parseFeatures('000228f0\n')).toEqual({ hvmCallbackVector: false, dom0: true });
});

test('takes the lowest of several words, which is the last', () => {
  expect(parseFeatures('ffffffff00000100\n')).toEqual({ hvmCallbackVector: true, dom0: false });
});

test.each([
  ['', 'expected words of eight hex digits, found an empty file'],
  ['220f0\n', 'expected words of eight hex digits, found "220f0\\n"'],
  ['<denied>', 'expected words of eight hex digits, found "<denied>"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseFeatures(text))).toBe(`ParseError: ${message}`);
});
