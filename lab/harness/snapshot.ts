import { expect } from 'vitest';
import type { Exposition } from '../../tools/lib/exposition.ts';
import type { QueryResult } from '../../tools/lib/prometheus.ts';

/** Values by keys such as "domu1 0". */
export type Values = ReadonlyMap<string, number>;

/** The lab's series at one moment. */
export class Snapshot {
  readonly #series = new Map<string, QueryResult[]>();

  constructor(series: readonly QueryResult[]) {
    for (const each of series) {
      const name = each.metric['__name__'] ?? '';
      const list = this.#series.get(name) ?? [];
      list.push(each);
      this.#series.set(name, list);
    }
  }

  /** The series on one machine's page. */
  static ofPage(machine: string, page: Exposition): Snapshot {
    const samples = [...page.families.keys()].flatMap((family) => page.samples(family));
    return new Snapshot(
      samples.map(({ name, labels, value }) => ({ metric: { ...labels, machine, __name__: name }, value })),
    );
  }

  /** Values of a metric on one machine, by these labels. */
  of(machine: string, metric: string, labels: readonly string[]): Values {
    const values = new Map<string, number>();
    for (const { metric: all, value } of this.#series.get(metric) ?? []) {
      if (all['machine'] !== machine) continue;
      const key = labels.map((label) => all[label]).join(' ');
      if (values.has(key)) throw new Error(`${metric} has several series with ${labels.join()} = ${key}`);
      values.set(key, value);
    }
    return values;
  }
}

/**
 * Asserts that both have the same keys (at least one), and that each value lies between the tool's readings before and
 * after.
 */
export function expectBetween(what: string, before: Values, scraped: Values, after: Values): void {
  expect([...scraped.keys()].sort(), what).toEqual([...before.keys()].sort());
  expect(scraped.size, what).toBeGreaterThan(0);
  const outside = [...scraped].flatMap(([key, value]) => {
    const bounds = [before.get(key)!, after.get(key) ?? NaN];
    return value >= Math.min(...bounds) && value <= Math.max(...bounds)
      ? []
      : [`${key}: ${value}, not in ${bounds.join(' ... ')}`];
  });
  expect(outside, what).toEqual([]);
}

/** Asserts that a metric equals the tool's reading. */
export function expectEqual(what: string, tool: Values, scraped: Values): void {
  expect(tool.size, what).toBeGreaterThan(0);
  expect(Object.fromEntries(scraped), what).toEqual(Object.fromEntries(tool));
}
