import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderRules } from '../../../src/commands/rules.ts';
import { parseConfigFile } from '../../../src/config/config-file.ts';
import { refusals } from '../../../src/scrape/web-metrics.ts';
import { parseWebConfig } from '../../../src/web/config/web-config.ts';
import { metricsReference, ruleFiles, withFlagTable, withTlsNames } from '../../../tools/docs/reference.ts';

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

test('docs/reference/metrics.md is what npm run docs writes', () => {
  expect(read('docs/reference/metrics.md')).toBe(metricsReference());
});

test('docs/reference/flags.md is what npm run docs writes', () => {
  const page = read('docs/reference/flags.md');
  expect(page).toBe(withFlagTable(page));
});

test('the names of TLS in docs/operate/security.md are what npm run docs writes', () => {
  const page = read('docs/operate/security.md');
  expect(page).toBe(withTlsNames(page));
});

test('docs/operate/security.md names every reason for which something is turned away', () => {
  const page = read('docs/operate/security.md');
  expect(refusals.filter((reason) => !page.includes(`\`${reason}\``))).toEqual([]);
});

test('the web config file in docs/operate/security.md is one that can be read', () => {
  const [, yaml = ''] = /^## The web config file[^]*?```yaml\n([^]*?)```/m.exec(read('docs/operate/security.md')) ?? [];
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
