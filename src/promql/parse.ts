import { parser } from '@prometheus-io/lezer-promql';
import { durationMs } from './duration.ts';
import * as tree from './tree.ts';
import type { Expr, Matcher, Matching, Rule, Selector } from './tree.ts';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/** PromQL with an error, or with something that src/promql does not evaluate. */
export class PromqlError extends Error {
  override readonly name = 'PromqlError';
}

const numberPattern = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** Lookaround and backreferences, which RE2 lacks, and what RE2 and JavaScript understand differently. */
const notInBothPattern = /\(\?<?[=!]|\\[1-9kbBsS]|\[:/;
/** A group by its number, which `label_replace` inserts. */
const groupPattern = /\$\d+(?![\p{L}\p{N}_])/gu;

/** Names for what the subset lacks, by the node of the grammar. */
const names: Readonly<Record<string, string>> = {
  SubqueryExpr: 'a subquery',
  StepInvariantExpr: 'the modifier @',
  UnaryExpr: 'a sign',
  AnchoredExpr: 'the modifier anchored',
  SmoothedExpr: 'the modifier smoothed',
  MatrixSelector: 'a range that no function takes',
  StringLiteral: 'a string that is no argument',
  QuotedLabelMatcher: 'a quoted label name',
  QuotedLabelName: 'a quoted name',
  FillModifier: 'the modifier fill',
  Without: 'the modifier without',
  GroupRight: 'the modifier group_right',
};

const isIn = <Name extends string>(all: readonly Name[], text: string): text is Name =>
  (all as readonly string[]).includes(text);

const childrenOf = (node: SyntaxNode): SyntaxNode[] => {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling)
    if (child.name !== 'LineComment') children.push(child);
  return children;
};

/** Parses PromQL with the grammar of Prometheus. Throws a PromqlError with the name of what the subset lacks. */
export const parsePromql = (text: string): Expr => {
  const textOf = ({ from, to }: SyntaxNode): string => text.slice(from, to);
  const refuse = (found: string): never => {
    throw new PromqlError(`expected PromQL that the rule pack uses, found ${found} in: ${text}`);
  };
  const refuseNode = (node: SyntaxNode): never => refuse(names[node.name] ?? `${node.name} ${textOf(node)}`);

  const stringOf = (node: SyntaxNode): string => {
    const literal = textOf(node);
    try {
      // A tab is the one control character that JSON forbids and that users may have in a selector.
      if (node.name === 'StringLiteral') return JSON.parse(literal.replaceAll('\t', '\\t')) as string;
    } catch {
      // Another kind of string.
    }
    return refuse(`${literal}, which is no string in double quotes`);
  };

  const numberOf = (node: SyntaxNode): number => {
    const literal = textOf(node);
    return node.name === 'NumberDurationLiteral' && numberPattern.test(literal)
      ? Number(literal)
      : refuse(`${literal}, which is no decimal number`);
  };

  const durationOf = (node: SyntaxNode): number => {
    const literal = textOf(node);
    const ms = durationMs(literal) ?? 0;
    return ms > 0 ? ms : refuse(`${literal}, which is no duration with units`);
  };

  const patternOf = (node: SyntaxNode): string => {
    const pattern = stringOf(node);
    try {
      if (!notInBothPattern.test(pattern) && new RegExp(`^(?:${pattern})$`, 'su')) return pattern;
    } catch {
      // Not one of JavaScript's.
    }
    return refuse(`the regular expression ${textOf(node)}, which RE2 and JavaScript do not share`);
  };

  const labelOf = (name: string): string => (name === '__name__' ? refuse('the label __name__') : name);

  /** Sorted, each once. */
  const labelsOf = (grouping: SyntaxNode): string[] => {
    const labels = childrenOf(grouping).map((node) =>
      node.name === 'LabelName' ? labelOf(textOf(node)) : refuseNode(node),
    );
    return [...new Set(labels)].sort();
  };

  const matcherOf = (node: SyntaxNode): Matcher => {
    if (node.name !== 'UnquotedLabelMatcher') return refuseNode(node);
    const [label, operator, value] = childrenOf(node) as [SyntaxNode, SyntaxNode, SyntaxNode];
    const op = textOf(operator);
    if (!isIn(tree.matchOperators, op)) return refuse(`the matcher ${op}`);
    return { label: labelOf(textOf(label)), op, value: op.endsWith('~') ? patternOf(value) : stringOf(value) };
  };

  const selectorOf = (node: SyntaxNode, offsetMs: number): Selector => {
    const [name, matchers] = childrenOf(node);
    if (node.name !== 'VectorSelector') return refuse(`${textOf(node)} in place of a selector`);
    if (name?.name !== 'Identifier') return refuse(`a selector without a metric: ${textOf(node)}`);
    return {
      kind: 'selector',
      name: textOf(name),
      matchers: matchers ? childrenOf(matchers).map(matcherOf) : [],
      offsetMs,
    };
  };

  /** The part of `selector offset 5m` that has the offset, and the offset. */
  const withoutOffset = (node: SyntaxNode): [SyntaxNode, number] => {
    if (node.name !== 'OffsetExpr') return [node, 0];
    const [inner, , offset] = childrenOf(node) as [SyntaxNode, SyntaxNode, SyntaxNode];
    return [inner, durationOf(offset)];
  };

  const rangeOf = (fn: tree.RangeFunction, argument: SyntaxNode): Expr => {
    const [node, offsetMs] = withoutOffset(argument);
    if (node.name !== 'MatrixSelector') return refuse(`${fn} of ${names[node.name] ?? textOf(node)}`);
    const [selector, duration] = childrenOf(node) as [SyntaxNode, SyntaxNode];
    return { kind: 'range', fn, of: selectorOf(selector, offsetMs), rangeMs: durationOf(duration) };
  };

  const vectorOf = (node: SyntaxNode): Expr => {
    const expr = exprOf(node);
    return tree.isScalar(expr) ? refuse(`the scalar ${textOf(node)} in place of a vector`) : expr;
  };

  const argumentsOf = (body: SyntaxNode, count: number, name: string): SyntaxNode[] => {
    const all = childrenOf(body);
    return all.length === count ? all : refuse(`${all.length} arguments of ${name}`);
  };

  const labelReplaceOf = (body: SyntaxNode): Expr => {
    const [of, label, replacement, source, pattern] = argumentsOf(body, 5, 'label_replace');
    const inserted = stringOf(replacement!);
    if (inserted.replace(groupPattern, '').includes('$')) refuse(`the replacement ${textOf(replacement!)}`);
    const name = labelOf(stringOf(label!));
    if (name === '') refuse('label_replace without a label to set');
    return {
      kind: 'labelReplace',
      of: vectorOf(of!),
      label: name,
      replacement: inserted,
      source: labelOf(stringOf(source!)),
      pattern: patternOf(pattern!),
    };
  };

  const callOf = (node: SyntaxNode): Expr => {
    const [identifier, body] = childrenOf(node) as [SyntaxNode, SyntaxNode];
    const fn = textOf(identifier);
    if (isIn(tree.rangeFunctions, fn)) return rangeOf(fn, argumentsOf(body, 1, fn)[0]!);
    if (fn === 'label_replace') return labelReplaceOf(body);
    if (fn === 'time' && argumentsOf(body, 0, fn)) return { kind: 'time' };
    if (fn !== 'histogram_quantile') return refuse(`the function ${fn}`);
    const [quantile, of] = argumentsOf(body, 2, fn);
    return { kind: 'histogramQuantile', quantile: numberOf(quantile!), of: vectorOf(of!) };
  };

  const aggregationOf = (node: SyntaxNode): Expr => {
    const [operator, ...rest] = childrenOf(node) as [SyntaxNode, ...SyntaxNode[]];
    const body = rest.find(({ name }) => name === 'FunctionCallBody')!;
    const modifier = rest.find(({ name }) => name === 'AggregateModifier');
    const [word, grouping] = modifier ? childrenOf(modifier) : [];
    if (word && word.name !== 'By') return refuseNode(word);
    const by = grouping ? labelsOf(grouping) : [];
    const op = textOf(operator);
    if (op === 'topk') {
      const [count, of] = argumentsOf(body, 2, op);
      return numberOf(count!) === 1 ? { kind: 'top', by, of: vectorOf(of!) } : refuse(`topk of ${textOf(count!)}`);
    }
    if (!isIn(tree.aggregations, op)) return refuse(`the aggregation ${op}`);
    return { kind: 'aggregation', op, by, of: vectorOf(argumentsOf(body, 1, op)[0]!) };
  };

  const matchingOf = (clause: SyntaxNode | undefined): Matching => {
    if (!clause) return { on: false, labels: [] };
    const [word, grouping, group, taken] = childrenOf(clause) as [SyntaxNode, SyntaxNode, ...SyntaxNode[]];
    const matching = { on: word.name === 'On', labels: labelsOf(grouping) };
    if (!group) return matching;
    if (group.name !== 'GroupLeft') return refuseNode(group);
    const groupLeft = taken ? labelsOf(taken) : [];
    const both = groupLeft.find((label) => matching.on && matching.labels.includes(label));
    return both === undefined ? { ...matching, groupLeft } : refuse(`the label ${both} in both on and group_left`);
  };

  const binaryOf = (node: SyntaxNode): Expr => {
    const [first, operator, ...rest] = childrenOf(node) as [SyntaxNode, SyntaxNode, ...SyntaxNode[]];
    const modifiers = rest.slice(0, -1);
    const fill = modifiers.find(({ name }) => name === 'FillModifier');
    if (fill) return refuseNode(fill);
    const op = textOf(operator);
    const isSet = isIn(tree.setOperators, op);
    const isComparison = isIn(tree.comparisons, op);
    if (!isSet && !isComparison && !isIn(tree.arithmetic, op)) return refuse(`the operator ${op}`);
    const left = exprOf(first);
    const right = exprOf(rest.at(-1)!);
    const scalars = [left, right].filter(tree.isScalar).length;
    const bool = modifiers.some(({ name }) => name === 'BoolModifier');
    const clause = modifiers.find(({ name }) => name === 'MatchingModifierClause');
    if (bool && !isComparison) return refuse(`bool after ${op}`);
    if (isComparison && !bool && scalars === 2) return refuse('a comparison of scalars without bool');
    if (isSet && scalars > 0) return refuse(`${op} of a scalar`);
    if (clause && scalars > 0) return refuse(`${textOf(clause)} with a scalar`);
    const matching = matchingOf(clause);
    if (isSet && matching.groupLeft) return refuse(`group_left after ${op}`);
    return { kind: 'binary', op, bool, ...(scalars === 0 ? { matching } : {}), left, right };
  };

  const exprOf = (node: SyntaxNode): Expr => {
    switch (node.name) {
      case 'ParenExpr':
        return exprOf(childrenOf(node)[0]!);
      case 'NumberDurationLiteral':
        return { kind: 'number', value: numberOf(node) };
      case 'VectorSelector':
        return selectorOf(node, 0);
      case 'OffsetExpr':
        return selectorOf(...withoutOffset(node));
      case 'FunctionCall':
        return callOf(node);
      case 'AggregateExpr':
        return aggregationOf(node);
      case 'BinaryExpr':
        return binaryOf(node);
      default:
        return refuseNode(node);
    }
  };

  const parsed = parser.parse(text);
  parsed.iterate({
    enter: ({ type, from }) => (type.isError ? refuse(`an error at character ${from + 1}`) : undefined),
  });
  return exprOf(childrenOf(parsed.topNode)[0]!);
};

/** A rule as rule files have it. */
export type RuleText =
  | { record: string; expr: string }
  | {
      alert: string;
      expr: string;
      for?: string;
      keep_firing_for?: string;
      labels?: Readonly<Record<string, string>>;
    };

const waitMs = (text: string | undefined): number => {
  const ms = text === undefined ? 0 : durationMs(text);
  if (ms === undefined) throw new PromqlError(`expected a duration with units, found ${text}`);
  return ms;
};

/** Parses the expression and the waits of a rule. Throws a PromqlError. */
export const parseRule = (rule: RuleText): Rule => {
  const expr = parsePromql(rule.expr);
  if ('record' in rule) return { record: rule.record, expr };
  const { alert, labels = {} } = rule;
  return { alert, expr, forMs: waitMs(rule.for), keepFiringForMs: waitMs(rule.keep_firing_for), labels };
};
