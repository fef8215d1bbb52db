import { describe, expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { selfMetrics } from '../../src/scrape/self.ts';
import { collectFamilies, createCollector } from '../support/collect.ts';
import { guestHost, guests } from '../support/guests.ts';

const everyMetric = [...registry.flatMap(({ metrics }) => metrics), ...selfMetrics];

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

  test.each(registry.flatMap(({ metrics }) => metrics.map((metric) => [metric.name, metric.help] as const)))(
    'the HELP of %s names its source',
    (_name, help) => expect(help).toMatch(/Source: |Sampled, |netlink or proc/),
  );
});

test.each(guests)('on %s every sample is of a declared metric and has exactly its labels', (guest) => {
  const host = guestHost(guest);
  for (const definition of registry) {
    const collector = createCollector(definition, host);
    if (collector.applies() !== true) continue;
    for (const { descriptor, samples } of collectFamilies(collector, host)) {
      expect(definition.metrics).toContain(descriptor);
      for (const { sharedLabels } of samples) expect(Object.keys(sharedLabels)).toEqual([...descriptor.labels]);
    }
  }
});
