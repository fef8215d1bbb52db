import * as v from 'valibot';
import type { CommandLine } from './command-line.ts';
import type { ConfigFile } from './config-file.ts';
import { globalOptions, type GlobalValues } from './global-options.ts';
import { describeIssue, formHint, levelsHint, shorten } from './issue.ts';
import type { Options, OptionValues } from './option.ts';
import { allSettings, settingsOf, type ConfigurableCollector, type Setting } from './settings.ts';
import { UsageError, usageErrorOf } from './usage-error.ts';

/** Settings of a collector. */
export interface CollectorSettings<Collector extends ConfigurableCollector> {
  readonly definition: Collector;
  readonly isEnabled: boolean;
  readonly maxSeries: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** All settings, validated. */
export interface Settings<Collector extends ConfigurableCollector> {
  readonly global: GlobalValues;
  readonly collectors: readonly CollectorSettings<Collector>[];
}

const valueOfFlag = ({ name, option }: Setting, given: unknown): unknown => {
  const toValue = (text: unknown): unknown => (option.fromText ? option.fromText(String(text)) : text);
  const result = v.safeParse(option.schema, Array.isArray(given) ? given.map(toValue) : toValue(given));
  if (result.success) return result.output;
  throw new UsageError(`--${name}: expected ${result.issues[0].message}, found ${shorten(given)}`);
};

type Tree = { [key: string]: Tree | v.GenericSchema };

const isSchema = (node: Tree | v.GenericSchema): node is v.GenericSchema => 'kind' in node && node.kind === 'schema';

/** Schema of the whole config file: each setting's schema at its place. Any other key is an error. */
const fileSchema = (settings: readonly Setting[]): v.GenericSchema => {
  const tree: Tree = {};
  for (const { path, option } of settings) {
    let node = tree;
    for (const key of path.slice(0, -1)) node = (node[key] ??= {}) as Tree;
    node[path.at(-1)!] = option.schema;
  }
  const build = (node: Tree): v.GenericSchema =>
    v.strictObject(
      Object.fromEntries(
        // A key with nothing below it sets nothing, such as `web:` with all its settings commented out.
        Object.entries(node).map(([key, child]) => [
          key,
          isSchema(child) ? v.optional(child) : v.nullish(build(child)),
        ]),
      ),
    );
  return build(tree);
};

/**
 * Shows how to write a setting that was written like its flag, such as `collector.cpu: false` or `collector: {cpu:
 * false}`; empty for other issues.
 */
const hintOf = (issue: v.BaseIssue<unknown>, settings: readonly Setting[]): string => {
  const name = issue.path?.map(({ key }) => String(key)).join('.');
  const setting = settings.find((each) => each.name === name);
  if (setting === undefined) return '';
  if (issue.expected === 'never') return levelsHint(setting.path);
  return issue.type === 'strict_object' ? formHint(setting.path) : '';
};

const valuesOfFile = (file: ConfigFile, settings: readonly Setting[]): Map<string, unknown> => {
  const schema = fileSchema(settings);
  const result = v.safeParse(schema, file.content);
  if (!result.success)
    throw usageErrorOf(result.issues, (issue) => `${describeIssue(file, issue, { schema })}${hintOf(issue, settings)}`);
  const values = new Map<string, unknown>();
  for (const { name, path } of settings) {
    let node: unknown = result.output;
    for (const key of path) node = (node as Record<string, unknown> | null | undefined)?.[key];
    if (node !== undefined) values.set(name, node);
  }
  return values;
};

/** Values from flags and file by setting name. Flags override the file. Throws UsageError. */
const valuesSet = (
  settings: readonly Setting[],
  given: CommandLine['given'],
  file: ConfigFile | undefined,
): Map<string, unknown> => {
  const values = file ? valuesOfFile(file, settings) : new Map<string, unknown>();
  for (const setting of settings) {
    const text = given[setting.name];
    if (text !== undefined) values.set(setting.name, valueOfFlag(setting, text));
  }
  return values;
};

/** Values of options that have only flags. Throws UsageError. */
export const resolveFlags = <Specs extends Options>(specs: Specs, given: CommandLine['given']): OptionValues<Specs> => {
  const values = valuesSet(settingsOf(specs), given, undefined);
  return Object.fromEntries(
    Object.entries(specs).map(([name, option]) => [name, values.get(name) ?? option.default]),
  ) as OptionValues<Specs>;
};

/**
 * Merges flags, file and defaults. A flag overrides the file, the file the default, and a collector's own value the
 * value for all collectors. Throws UsageError.
 */
export const resolveSettings = <Collector extends ConfigurableCollector>(
  definitions: readonly Collector[],
  { given }: Pick<CommandLine, 'given'>,
  file: ConfigFile | undefined,
): Settings<Collector> => {
  const settings = allSettings(definitions);
  const values = valuesSet(settings, given, file);
  const options = new Map(settings.map(({ name, option }) => [name, option]));
  const value = (name: string): unknown => {
    const option = options.get(name)!;
    const inherited = option.inherits === undefined ? undefined : values.get(option.inherits);
    return values.get(name) ?? inherited ?? option.default;
  };
  const disablesDefaults = value('collector.disable-defaults') === true;

  return {
    global: Object.fromEntries(
      Object.keys(globalOptions).map((name) => [name, value(name)]),
    ) as unknown as GlobalValues,
    collectors: definitions.map((definition) => {
      const { name, enabledByDefault, options: own } = definition;
      const key = `collector.${name}`;
      return {
        definition,
        isEnabled: (values.get(key) ?? (enabledByDefault && !disablesDefaults)) === true,
        maxSeries: value(`${key}.max-series`) as number,
        options: Object.fromEntries(Object.keys(own).map((option) => [option, value(`${key}.${option}`)])),
      };
    }),
  };
};
