import { expect, test } from 'vitest';
import { recordings } from '../../lab/faults/recordings.ts';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { timeout } from '../pack/promtool.ts';
import { recordedScrapes } from '../pack/replay.ts';
import { compareRows, evaluationSeconds, type RecordedGroup } from './recorded-rows.ts';

/** Its exporter fails and comes back: series end and begin. */
export const representative = 'credit2-exporter-killed';

/** The pack, with a row for the expression of each alert. Annotations are left out. */
const recordedGroups = (scrapeIntervalSeconds: number): RecordedGroup[] =>
  rulePack({ ...defaultPackOptions, scrapeIntervalSeconds }).map(({ name, rules }) => ({
    name,
    rules: rules.flatMap((rule) => {
      if ('record' in rule) return [rule];
      const { annotations: _, ...alert } = rule;
      return [{ record: `alert:${alert.alert}:${alert.labels.severity}`, expr: alert.expr }, alert];
    }),
  }));

/**
 * Makes a test of each of these recordings: the pack's rows, alert expressions and alerts at each evaluation, from
 * Prometheus 3 and from the evaluator.
 */
export const testDifferential = (isWanted: (name: string) => boolean): void =>
  test.each([...recordings].filter(([name]) => isWanted(name)))(
    '%s',
    { timeout },
    async (_, { intervalSeconds, speed, series }) => {
      const world = Object.fromEntries(
        Object.entries(series).map(([name, values]) => [name, recordedScrapes(name, values, speed)]),
      );
      const { rows, wrong } = await compareRows([world], intervalSeconds, recordedGroups(intervalSeconds));
      expect(wrong.slice(0, 10), `${wrong.length} differences`).toEqual([]);
      const scrapes = Math.max(...Object.values(series).map(({ length }) => length));
      // Nothing agrees with nothing.
      expect(rows).toBeGreaterThan((20 * scrapes * intervalSeconds) / evaluationSeconds);
    },
  );
