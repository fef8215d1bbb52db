import * as v from 'valibot';
import type { CollectorDefinition } from '../collectors/collector.ts';
import type { CommandLine } from './command-line.ts';
import type { ConfigFile } from './config-file.ts';
import { flagsOf, globalOptions, type Flag, type GlobalValues } from './flags.ts';
import { describeIssue, shorten } from './issue.ts';
import { UsageError } from './usage-error.ts';

/** How a collector is set up. */
export interface CollectorSettings {
  readonly definition: CollectorDefinition;
  readonly isEnabled: boolean;
  readonly maxSeries: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Every setting, checked. */
export interface Settings {
  readonly global: GlobalValues;
  readonly collectors: readonly CollectorSettings[];
}

const valueOfFlag = ({ name, option }: Flag, given: unknown): unknown => {
  const toValue = (text: unknown): unknown => (option.fromText ? option.fromText(String(text)) : text);
  const result = v.safeParse(option.schema, Array.isArray(given) ? given.map(toValue) : toValue(given));
  if (result.success) return result.output;
  throw new UsageError(`--${name}: expected ${result.issues[0].message}, found ${shorten(given)}`);
};

type Tree = { [key: string]: Tree | v.GenericSchema };

const isSchema = (node: Tree | v.GenericSchema): node is v.GenericSchema => 'kind' in node && node.kind === 'schema';

/** The schema of the whole config file: the flags' schemas at their places, every other key an error. */
const fileSchema = (flags: readonly Flag[]): v.GenericSchema => {
  const tree: Tree = {};
  for (const { path, option } of flags) {
    let node = tree;
    for (const key of path.slice(0, -1)) node = (node[key] ??= {}) as Tree;
    node[path.at(-1)!] = option.schema;
  }
  const build = (node: Tree): v.GenericSchema =>
    v.strictObject(
      Object.fromEntries(
        Object.entries(node).map(([key, child]) => [key, v.optional(isSchema(child) ? child : build(child))]),
      ),
    );
  return build(tree);
};

const valuesOfFile = (file: ConfigFile, flags: readonly Flag[]): Map<string, unknown> => {
  const result = v.safeParse(fileSchema(flags), file.content);
  if (!result.success) throw new UsageError(result.issues.map((issue) => describeIssue(file, issue)).join('\n'));
  const values = new Map<string, unknown>();
  for (const { name, path } of flags) {
    let node: unknown = result.output;
    for (const key of path) node = (node as Record<string, unknown> | undefined)?.[key];
    if (node !== undefined) values.set(name, node);
  }
  return values;
};

/** Puts flags, file and defaults together: a flag beats the file, the file the default. Throws UsageError. */
export const resolveSettings = (
  definitions: readonly CollectorDefinition[],
  commandLine: Pick<CommandLine, 'given'>,
  file: ConfigFile | undefined,
): Settings => {
  const flags = flagsOf(definitions);
  const values = file ? valuesOfFile(file, flags) : new Map<string, unknown>();
  for (const flag of flags) {
    const given = commandLine.given[flag.name];
    if (given !== undefined) values.set(flag.name, valueOfFlag(flag, given));
  }
  const defaults = new Map(flags.map(({ name, option }) => [name, option.default]));
  const value = (name: string): unknown => values.get(name) ?? defaults.get(name);
  const disablesDefaults = value('collector.disable-defaults') === true;

  return {
    global: Object.fromEntries(
      Object.keys(globalOptions).map((name) => [name, value(name)]),
    ) as unknown as GlobalValues,
    collectors: definitions.map((definition) => {
      const { name, enabledByDefault, options } = definition;
      const key = `collector.${name}`;
      return {
        definition,
        isEnabled: (values.get(key) ?? (enabledByDefault && !disablesDefaults)) === true,
        maxSeries: value(`${key}.max-series`) as number,
        options: Object.fromEntries(Object.keys(options).map((option) => [option, value(`${key}.${option}`)])),
      };
    }),
  };
};
