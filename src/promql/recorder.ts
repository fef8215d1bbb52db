import { unique } from './binary.ts';
import { evaluate, type Moment } from './evaluate.ts';
import { Labels } from './labels.ts';
import { Feed } from './store.ts';
import type { Expr } from './tree.ts';

export interface RecordingRule {
  record: string;
  expr: Expr;
}

/** A rule that has no result this time, and why. Its last rows stay valid for the lookback, as in Prometheus. */
export interface RuleFailure {
  record: string;
  error: Error;
}

/** Evaluates recording rules in their order. Each reads what those before it have recorded. */
export class Recorder {
  readonly #rules: readonly { rule: RecordingRule; feed: Feed }[];
  readonly #options: Omit<Moment, 'time'>;

  constructor(rules: readonly RecordingRule[], options: Omit<Moment, 'time'>) {
    this.#options = options;
    this.#rules = rules.map((rule) => ({ rule, feed: new Feed(options.store) }));
  }

  /** Evaluates all rules for a time, and returns those that fail. */
  record(time: number): RuleFailure[] {
    this.#options.store.forget(time);
    return this.#rules.flatMap(({ rule: { record, expr }, feed }) => {
      try {
        const value = evaluate(expr, { ...this.#options, time });
        const samples = typeof value === 'number' ? [{ name: record, labels: Labels.of([]), value }] : value;
        const rows = samples.map((sample) => ({ ...sample, name: record }));
        feed.write(unique(rows, 'vector contains metrics with the same labelset after applying rule labels'), time);
        return [];
      } catch (error) {
        return [{ record, error: error as Error }];
      }
    });
  }
}
