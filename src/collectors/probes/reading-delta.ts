import type { HistRow, HistTable } from '../../formats/trace-hist.ts';
import type { Reading } from './session.ts';

const rowKey = ({ keys }: HistRow): string => keys.join('\0');

const rowDelta = (before: HistRow | undefined, now: HistRow): HistRow => ({
  keys: now.keys,
  hits: now.hits - (before?.hits ?? 0),
  sums: new Map([...now.sums].map(([name, sum]) => [name, sum - (before?.sums.get(name) ?? 0)])),
});

const tableDelta = (before: HistTable | undefined, now: HistTable): HistTable => {
  const rows = new Map(before?.rows.map((row) => [rowKey(row), row]));
  return {
    keys: now.keys,
    rows: now.rows.map((row) => rowDelta(rows.get(rowKey(row)), row)).filter(({ hits }) => hits > 0),
    hits: now.hits - (before?.hits ?? 0),
    dropped: now.dropped - (before?.dropped ?? 0),
  };
};

/** Counts of a set between two readings, and the time between them. */
export interface ReadingDelta extends Omit<Reading, 'at'> {
  readonly seconds: number;
}

/**
 * Difference of two readings. Arming and reading take time, but both go through the tables in the same order, so each
 * table covers the same duration.
 */
export const deltaOf = (before: Reading, now: Reading): ReadingDelta => ({
  seconds: now.at - before.at,
  tables: new Map(
    [...now.tables].map(([event, tables]) => [
      event,
      tables.map((table, index) => tableDelta(before.tables.get(event)?.[index], table)),
    ]),
  ),
  probes: new Map(
    [...now.probes].map(([event, { hits, missed }]) => {
      const known = before.probes.get(event) ?? { hits: 0, missed: 0 };
      return [event, { hits: hits - known.hits, missed: missed - known.missed }];
    }),
  ),
});
