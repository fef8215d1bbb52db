// Parsed PromQL. A tree is plain data, so a build can write it as JSON and the program needs no parser.

export const arithmetic = ['+', '-', '*', '/'] as const;
export const comparisons = ['==', '>', '<'] as const;
export const setOperators = ['and', 'or', 'unless'] as const;
export const aggregations = ['count', 'group', 'max', 'min', 'sum'] as const;
export const rangeFunctions = ['rate', 'last_over_time', 'max_over_time', 'min_over_time'] as const;
export const matchOperators = ['=', '!=', '=~', '!~'] as const;

export type Arithmetic = (typeof arithmetic)[number];
export type Comparison = (typeof comparisons)[number];
export type SetOperator = (typeof setOperators)[number];
export type RangeFunction = (typeof rangeFunctions)[number];

export interface Matcher {
  label: string;
  op: (typeof matchOperators)[number];
  value: string;
}

export interface Selector {
  kind: 'selector';
  name: string;
  matchers: Matcher[];
  offsetMs: number;
}

/** Which labels of both sides have to be equal: those of `on`, or all but those of `ignoring` and the metric name. */
export interface Matching {
  on: boolean;
  labels: string[];
  /** Labels that `group_left` takes from the right side. Absent: each series has at most one partner. */
  groupLeft?: string[];
}

export interface Binary {
  kind: 'binary';
  op: Arithmetic | Comparison | SetOperator;
  /** The result is 1 or 0 instead of a filtered value. */
  bool: boolean;
  /** Absent if one side is a scalar. */
  matching?: Matching;
  left: Expr;
  right: Expr;
}

export type Expr =
  | { kind: 'number'; value: number }
  | { kind: 'time' }
  | Selector
  | { kind: 'range'; fn: RangeFunction; of: Selector; rangeMs: number }
  | { kind: 'labelReplace'; of: Expr; label: string; replacement: string; source: string; pattern: string }
  | { kind: 'histogramQuantile'; quantile: number; of: Expr }
  | { kind: 'aggregation'; op: (typeof aggregations)[number]; by: string[]; of: Expr }
  /** `topk(1, ...)`. */
  | { kind: 'top'; by: string[]; of: Expr }
  | Binary;

/** The expressions of one kind. */
export type ExprOf<Kind extends Expr['kind']> = Extract<Expr, { kind: Kind }>;

export interface RecordingRule {
  record: string;
  expr: Expr;
}

export interface AlertingRule {
  alert: string;
  expr: Expr;
  /** How long the expression must have a result until the alert fires. */
  forMs: number;
  /** How long the alert fires on without a result. */
  keepFiringForMs: number;
  /** Labels that the alert has beside those of the result. */
  labels: Readonly<Record<string, string>>;
}

export type Rule = RecordingRule | AlertingRule;

/** How long a selector without a range looks back for a value. Prometheus's default. */
export const defaultLookbackMs = 300_000;

export const isScalar = (expr: Expr): boolean =>
  expr.kind === 'number' ||
  expr.kind === 'time' ||
  (expr.kind === 'binary' && isScalar(expr.left) && isScalar(expr.right));

/**
 * Calls `visit` with each selector of an expression, and the milliseconds that it looks back for, beside its offset.
 */
const visitSelectors = (expr: Expr, lookbackMs: number, visit: (selector: Selector, rangeMs: number) => void): void => {
  if (expr.kind === 'selector') visit(expr, lookbackMs);
  else if (expr.kind === 'range') visit(expr.of, expr.rangeMs);
  else if (expr.kind === 'binary') for (const side of [expr.left, expr.right]) visitSelectors(side, lookbackMs, visit);
  else if ('of' in expr) visitSelectors(expr.of, lookbackMs, visit);
};

/** The selectors of an expression. */
export const selectorsOf = (expr: Expr): Selector[] => {
  const selectors: Selector[] = [];
  visitSelectors(expr, 0, (selector) => selectors.push(selector));
  return selectors;
};

/** How far back expressions look for each metric, in milliseconds. */
export const windowsOf = (exprs: Iterable<Expr>, lookbackMs = defaultLookbackMs): Map<string, number> => {
  const windows = new Map<string, number>();
  for (const expr of exprs)
    visitSelectors(expr, lookbackMs, ({ name, offsetMs }, rangeMs) =>
      windows.set(name, Math.max(windows.get(name) ?? 0, offsetMs + rangeMs)),
    );
  return windows;
};
