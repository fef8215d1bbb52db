import { ActiveAlerts } from './active-alerts.ts';
import { unique } from './binary.ts';
import { evaluate, type Moment } from './evaluate.ts';
import { Labels, type Sample } from './labels.ts';
import { Feed } from './store.ts';
import type { Rule } from './tree.ts';

/** A rule that has no result this time, and why. Its last rows stay valid for the lookback, as in Prometheus. */
export interface RuleFailure {
  /** The record or the alert. */
  rule: string;
  error: Error;
}

/** The rows that the results of a rule give at a time. */
type RowsOf = (results: readonly Sample[], time: number) => Sample[];

const rowsOf = (rule: Rule): RowsOf => {
  if ('alert' in rule) {
    const alerts = new ActiveAlerts(rule);
    return (results, time) => alerts.update(results, time);
  }
  return (results) =>
    unique(
      results.map((sample) => ({ ...sample, name: rule.record })),
      'vector contains metrics with the same labelset after applying rule labels',
    );
};

/** Evaluates rules in their order. Each reads what those before it have recorded; alerts are the series ALERTS. */
export class Recorder {
  readonly #rules: readonly { rule: Rule; rowsOf: RowsOf; feed: Feed }[];
  readonly #options: Pick<Moment, 'store' | 'lookbackMs'>;

  constructor(rules: readonly Rule[], options: Pick<Moment, 'store' | 'lookbackMs'>) {
    this.#options = options;
    this.#rules = rules.map((rule) => ({ rule, rowsOf: rowsOf(rule), feed: new Feed(options.store) }));
  }

  /** Evaluates all rules for a time, and returns those that fail. `longestRangeMs`: as in Moment. */
  record(time: number, longestRangeMs?: number): RuleFailure[] {
    this.#options.store.forget(time);
    return this.#rules.flatMap(({ rule, rowsOf, feed }) => {
      try {
        const value = evaluate(rule.expr, {
          ...this.#options,
          time,
          ...(longestRangeMs !== undefined && { longestRangeMs }),
        });
        const results = typeof value === 'number' ? [{ name: '', labels: Labels.of([]), value }] : value;
        feed.write(rowsOf(results, time), time);
        return [];
      } catch (error) {
        return [{ rule: 'alert' in rule ? rule.alert : rule.record, error: error as Error }];
      }
    });
  }
}
