import type { Expr, Rule } from '../promql/tree.ts';
import type { Mitigation, Step } from './verdict.ts';

/** The default rule pack with its expressions parsed, and the measures of the runbooks of causes. */
export interface CompiledPack {
  /** In the order in which they build on each other. */
  rules: readonly Rule[];
  /** By the name of the alert. `<GUEST>` stands for the name of the guest. */
  measures: Readonly<Record<string, { setUp: readonly Step[]; mitigations: readonly Mitigation[] }>>;
}

/** A node of a tree. The places of the nodes below it in the list of all nodes stand for these nodes. */
export type CompiledNode = Readonly<Record<string, unknown>>;

/** The pack as it is stored: equal parts of expressions are one node, which stands behind those below it. */
export interface StoredPack extends Pick<CompiledPack, 'measures'> {
  nodes: readonly CompiledNode[];
  /** The place of a node stands for the expression. */
  rules: readonly (Omit<Rule, 'expr'> & { expr: number })[];
}

/** The fields of a node that are nodes. */
export const childFields: readonly string[] = ['of', 'left', 'right'];

const expanded = ({ nodes, rules, measures }: StoredPack): CompiledPack => {
  const exprs: Expr[] = [];
  for (const node of nodes) {
    const fields = Object.entries(node).map(([name, value]) => [
      name,
      childFields.includes(name) ? exprs[value as number] : value,
    ]);
    exprs.push(Object.fromEntries(fields) as Expr);
  }
  return { rules: rules.map((rule) => ({ ...rule, expr: exprs[rule.expr]! }) as Rule), measures };
};

/** Reads what `npm run docs` has written. Nothing of it is in memory before. */
export const compiledPack = async (): Promise<CompiledPack> => {
  const { compiledText } = await import('./compiled-text.ts');
  return expanded(JSON.parse(compiledText) as StoredPack);
};
