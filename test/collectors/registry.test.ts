import { describe, expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { exporterMetrics } from '../../src/scrape/exporter-metrics.ts';
import { collectFamilies, createCollector, runBackground } from '../../tools/lib/collect.ts';
import { guestHost, guests } from '../../tools/lib/guests.ts';
import { hostOf, hosts } from '../../tools/lib/hosts.ts';
import { toolstackOf } from '../../tools/lib/sources.ts';

const everyMetric = [...registry.flatMap(({ metrics }) => metrics), ...exporterMetrics];

describe('the names', () => {
  test('of collectors and of metrics are given once', () => {
    for (const names of [registry.map(({ name }) => name), everyMetric.map(({ name }) => name)]) {
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    }
  });

  test.each(everyMetric.map((metric) => [metric.name, metric] as const))(
    '%s is as Prometheus wants it',
    (name, metric) => {
      expect(name).toMatch(/^xen_[a-z0-9_]+$/);
      expect(name.endsWith('_total')).toBe(metric.type === 'counter');
      expect(metric.help).toMatch(/^[A-Z].*[.]$/);
      expect(metric.labels.every((label) => /^[a-z_]+$/.test(label))).toBe(true);
    },
  );

  test.each(registry.flatMap(({ metrics }) => metrics.map((metric) => [metric.name, metric] as const)))(
    'the fields of %s have their place',
    (_name, { meaning, source, versions, notes }) => {
      expect(source !== undefined || /Sampled, |netlink or proc/.test(meaning)).toBe(true);
      expect(meaning).not.toMatch(/Source: /);
      for (const field of [source, versions, notes]) expect(field ?? 'x').toMatch(/[^.\s]$/);
    },
  );
});

const hostSide = ['uplink', 'vif', 'netback', 'xenbus', 'vbd', 'domains', 'scheduler', 'host', 'grants', 'passthrough'];

test.each(
  registry
    .filter(({ name }) => hostSide.includes(name))
    .flatMap(({ metrics }) => metrics.map((metric) => [metric.name, metric] as const)),
)('%s names the version of the kernel or of Xen', (_name, { source, versions, notes }) => {
  expect(`${source} ${versions} ${notes}`).toMatch(/(Linux|Xen) \d/);
});

test.each([
  ...guests.map((name) => [name, guestHost(name)] as const),
  ...hosts.map((name) => [name, hostOf(name)] as const),
])(
  'on %s every sample is of a declared metric, has exactly its labels, and is the only one of its series',
  async (_name, machine) => {
    const toolstack = toolstackOf(machine);
    const collectors = registry.map((definition) => createCollector(definition, machine, {}, { toolstack }));
    await runBackground(collectors);
    for (const [i, definition] of registry.entries()) {
      const collector = collectors[i]!;
      if (collector.availability() !== true) continue;
      for (const { descriptor, samples } of collectFamilies(collector, machine)) {
        expect(definition.metrics).toContain(descriptor);
        const series = samples
          .filter(({ metricName }) => metricName === undefined)
          .map(({ sharedLabels }) => sharedLabels);
        for (const labels of series) expect(Object.keys(labels)).toEqual([...descriptor.labels]);
        expect(new Set(series).size).toBe(series.length);
      }
    }
  },
);
