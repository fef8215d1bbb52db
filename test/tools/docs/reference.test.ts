import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderRules } from '../../../src/commands/rules.ts';
import { parseConfigFile } from '../../../src/config/config-file.ts';
import { refusals } from '../../../src/scrape/web-metrics.ts';
import { parseWebConfig } from '../../../src/web/config/web-config.ts';
import { metricsReference, ruleFiles, withFlagTable, withTlsNames } from '../../../tools/docs/reference.ts';

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

test('docs/metrics.md is what npm run docs writes', () => {
  expect(read('docs/metrics.md')).toBe(metricsReference());
});

test("the README's flags are what npm run docs writes", () => {
  const readme = read('README.md');
  expect(readme).toBe(withFlagTable(readme));
});

test('the names of TLS in docs/security.md are what npm run docs writes', () => {
  const page = read('docs/security.md');
  expect(page).toBe(withTlsNames(page));
});

test('docs/security.md names every reason for which something is turned away', () => {
  const page = read('docs/security.md');
  expect(refusals.filter((reason) => !page.includes(`\`${reason}\``))).toEqual([]);
});

test('the web config file in docs/security.md is one that can be read', () => {
  const [, yaml = ''] = /^## The web config file[^]*?```yaml\n([^]*?)```/m.exec(read('docs/security.md')) ?? [];
  const config = parseWebConfig(parseConfigFile('security.md', yaml));
  expect([config.tls?.clientAuth, config.users.size, config.rateLimit?.burst]).toEqual([
    'RequireAndVerifyClientCert',
    1,
    20,
  ]);
  expect(config.headers).toHaveLength(5);
});

test.each(Object.entries(ruleFiles))('rules/%s is what npm run docs writes', (name, args) => {
  expect(read(`rules/${name}`)).toBe(renderRules(args));
});
