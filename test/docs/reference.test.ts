import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { rulesCommand } from '../../src/cli/rules-command.ts';
import { metricsReference, ruleFiles, withFlagTable } from '../../docs/reference.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

test('docs/metrics.md is what npm run docs writes', () => {
  expect(read('docs/metrics.md')).toBe(metricsReference());
});

test("the README's flags are what npm run docs writes", () => {
  const readme = read('README.md');
  expect(readme).toBe(withFlagTable(readme));
});

test.each(Object.entries(ruleFiles))('rules/%s is what npm run docs writes', (name, args) => {
  expect(read(`rules/${name}`)).toBe(rulesCommand(args));
});
