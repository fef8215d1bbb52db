import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

test('Grafana loads the dashboards from the folder that docs/dashboards.md has them copied to', () => {
  const { apiVersion, providers } = load(read('grafana/provisioning/dashboards/xen-exporter.yml')) as {
    apiVersion: number;
    providers: { type: string; options: { path: string } }[];
  };
  expect(apiVersion).toBe(1);
  expect(providers.map(({ type }) => type)).toEqual(['file']);
  expect(read('docs/dashboards.md')).toContain(`cp grafana/dashboards/*.json ${providers[0]!.options.path}/`);
});

test('Grafana gets a Prometheus with a scrape interval, which $__rate_interval needs', () => {
  const { apiVersion, datasources } = load(read('grafana/provisioning/datasources/xen-exporter.yml')) as {
    apiVersion: number;
    datasources: object[];
  };
  expect(apiVersion).toBe(1);
  expect(datasources).toMatchObject([{ type: 'prometheus', access: 'proxy', jsonData: { timeInterval: '15s' } }]);
});
