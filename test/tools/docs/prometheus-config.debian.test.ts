import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TempTree } from '../../../tools/lib/fake-host.ts';
import { toolSays } from '../../../tools/lib/debian.ts';

/** Every block of a page that contains Prometheus configuration. */
const configurations = ['install/prometheus', 'operate/fleet', 'alerts/README', 'alerts/trust'].flatMap((page) => {
  const text = readFileSync(new URL(`../../../docs/${page}.md`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, block]) => block!);
  return blocks
    .filter((block) => /^(scrape_configs|remote_write):$/m.test(block))
    .map((block, index) => ({ page, index, block }));
});

test('each page has some', () => {
  expect(configurations.map(({ page }) => page)).toEqual([
    'install/prometheus',
    'operate/fleet',
    'operate/fleet',
    'operate/fleet',
    'operate/fleet',
    'alerts/README',
    'alerts/trust',
  ]);
});

test.each(configurations)('docs/$page.md: configuration $index is one of Prometheus', async ({ block }) => {
  using folder = new TempTree();
  folder.write({ 'prometheus.yml': block, 'xen-exporter.rules.yml': 'groups: []\n' });
  const { stdout, stderr } = await toolSays('promtool', ['check', 'config', folder.path('prometheus.yml')]);
  expect(stderr).toBe('');
  expect(stdout).toContain('is valid prometheus config file syntax');
});
