import { childFields, type CompiledNode, type StoredPack } from '../../src/diagnosis/compiled-pack.ts';
import type { Mitigation, Step } from '../../src/diagnosis/verdict.ts';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { parseRule } from '../../src/promql/parse.ts';
import type { Expr } from '../../src/promql/tree.ts';
import { assignmentsOf, measuresOf, namingGuest, type MeasureStep, type RunbookCommand } from './runbook-commands.ts';

/** Nodes of trees, each once. */
class Nodes {
  readonly all: CompiledNode[] = [];
  readonly #places = new Map<string, number>();

  /** The place of an expression. */
  add(expr: Expr): number {
    const fields = Object.entries(expr).map(([name, value]) => [
      name,
      childFields.includes(name) ? this.add(value as Expr) : value,
    ]);
    const node = Object.fromEntries(fields) as CompiledNode;
    const key = JSON.stringify(node);
    let place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, (place = this.all.push(node) - 1));
    return place;
  }
}

const stepsOf = (commands: readonly RunbookCommand[]): Step[] =>
  commands.map(({ machine, command }) => ({ on: machine, command }));

/** Markdown as plain text on one line. */
const plain = (markdown: string): string =>
  markdown
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/\*\*|`|^- /gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim();

/** The measures of a runbook. */
const mitigationsOf = (page: string): Mitigation[] =>
  measuresOf(page).map(({ title, introduction, blocks }) => {
    const of = (wanted: MeasureStep): Step[] =>
      stepsOf(blocks.filter(({ step }) => step === wanted).flatMap(({ commands }) => commands));
    return {
      title: plain(title),
      effect: plain(introduction),
      only: blocks[0]!.only,
      save: of('Save'),
      do: of('Do'),
      verify: of('Verify'),
      undo: of('Undo'),
    };
  });

const setUpOf = (page: string): Step[] =>
  (['dom0', 'guest'] as const).flatMap((on) =>
    assignmentsOf(page, on).map((command) => ({ on, command: namingGuest(command, '<GUEST>') })),
  );

const storedPack = (pageOf: (alert: string) => string): StoredPack => {
  const nodes = new Nodes();
  const rules = rulePack(defaultPackOptions).flatMap((group) =>
    group.rules.map((rule) => {
      if ('record' in rule) return parseRule(rule);
      const { annotations: _, ...alert } = rule;
      return parseRule(alert);
    }),
  );
  const measures = alerts
    .filter(({ kind }) => kind === 'cause')
    .map(({ name }) => {
      const page = pageOf(name);
      return [name, { setUp: setUpOf(page), mitigations: mitigationsOf(page) }] as const;
    });
  return {
    rules: rules.map((rule) => ({ ...rule, expr: nodes.add(rule.expr) })),
    nodes: nodes.all,
    measures: Object.fromEntries(measures),
  };
};

/** JSON with a line for each element of its lists and objects. */
const inLines = (parts: StoredPack): string => {
  const lines = Object.entries(parts).map(([name, part]) => {
    const [open, close] = Array.isArray(part) ? ['[', ']'] : ['{', '}'];
    const elements = Object.entries(part as object).map(([key, value]) =>
      Array.isArray(part) ? JSON.stringify(value) : `${JSON.stringify(key)}:${JSON.stringify(value)}`,
    );
    return `"${name}":${open}\n${elements.join(',\n')}\n${close}`;
  });
  return `{${lines.join(',')}}`;
};

/** src/diagnosis/compiled-text.ts. `pageOf`: the runbook of an alert. */
export const compiledModule = (pageOf: (alert: string) => string): string => {
  const text = inLines(storedPack(pageOf)).replaceAll(/[\\`]|\$(?=\{)/g, (special) => `\\${special}`);
  return `// Made from the rule pack and the runbooks by \`npm run docs\`; do not edit.\nexport const compiledText = \`${text}\`;\n`;
};
