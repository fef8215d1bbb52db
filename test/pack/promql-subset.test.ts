import { parser } from '@prometheus-io/lezer-promql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { queriesIn } from '../../src/pack/template.ts';
import { project } from '../../tools/lib/project.ts';

/** Sections of docs/reference/recording-rules.md, each with the grammar nodes whose text is a name of that section. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  Functions: ['FunctionIdentifier'],
  Aggregations: ['AggregateOp'],
  Operators: 'Add Sub Mul Div Mod Pow Eql Neq Gtr Lss Gte Lte And Or Unless'.split(' '),
  Matchers: ['MatchOp'],
  Modifiers: 'By Without On Ignoring GroupLeft GroupRight Bool Offset'.split(' '),
};
/**
 * Other grammar nodes of these, and of selectors, ranges, numbers and parentheses. Excludes subqueries, @ and signs.
 */
const structure = new Set(
  (
    'PromQL BinaryExpr AggregateExpr AggregateModifier GroupingLabels LabelName FunctionCall FunctionCallBody VectorSelector ' +
    'Identifier LabelMatchers UnquotedLabelMatcher StringLiteral MatchingModifierClause NumberDurationLiteral ParenExpr ' +
    'MatrixSelector DurationExpr NumberDurationLiteralInDurationContext OffsetExpr OffsetDurationExpr BoolModifier'
  ).split(' '),
);
/** Grammar nodes that contain a node for one function, aggregation or matcher. */
const parents = new Set(['FunctionIdentifier', 'AggregateOp', 'MatchOp']);
const kindOf = new Map(Object.entries(kinds).flatMap(([kind, nodes]) => nodes.map((node) => [node, kind] as const)));

/** Adds the names that an expression uses to `used`, and returns its other nodes. */
const unknownIn = (expr: string, used: ReadonlyMap<string, Set<string>>): string[] => {
  const unknown: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ name, from, to, node }) => {
      if (parents.has(node.parent?.name ?? '')) return;
      const kind = kindOf.get(name);
      if (kind !== undefined) used.get(kind)!.add(expr.slice(from, to));
      else if (!structure.has(name)) unknown.push(`${name} in ${expr}`);
    },
  });
  return unknown;
};

const isUsed = (): Map<string, Set<string>> => new Map(Object.keys(kinds).map((kind) => [kind, new Set<string>()]));

test('rules use the PromQL that docs/reference/recording-rules.md lists, and nothing else', () => {
  const page = readFileSync(join(project, 'docs/reference/recording-rules.md'), 'utf8');
  const used = isUsed();
  for (const keptLabels of [[], ['site', 'team']])
    for (const { rules } of rulePack({ ...defaultPackOptions, keptLabels }))
      for (const { expr, ...rule } of rules) {
        const queries = 'annotations' in rule ? Object.values(rule.annotations).flatMap(queriesIn) : [];
        for (const text of [expr, ...queries]) expect(unknownIn(text, used)).toEqual([]);
      }
  const listed = (kind: string): string[] => {
    const [, names = ''] = new RegExp(`^\\| ${kind} +\\| (.*?) *\\|$`, 'm').exec(page) ?? [];
    return [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  };
  for (const [kind, names] of used) expect(listed(kind).toSorted(), kind).toEqual([...names].toSorted());
});

test.each(['a @ 5', 'rate(a[5m:1m])', '-a', 'a[5m', 'sum without (b) (a) + on (c'])('%s is outside of it', (expr) => {
  const used = isUsed();
  const unknown = unknownIn(expr, used);
  expect([...unknown, ...[...used.get('Modifiers')!].filter((name) => name === 'without')]).not.toEqual([]);
});
