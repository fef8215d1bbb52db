import { validate } from 'node-cron';
import * as v from 'valibot';

/** One setting: its default, meaning and valid values, from the command line or the config file. */
export interface Option<Value = unknown> {
  readonly help: string;
  readonly default: Value;
  /** Placeholder of the value in the usage text; empty for switches. */
  readonly metavar: string;
  /** Checks a value of the config file, or one made by `fromText`. */
  readonly schema: v.GenericSchema<unknown, Value>;
  /** Converts a flag's text before `schema` checks it. Absent for switches, which take no text. */
  readonly fromText?: (text: string) => unknown;
  /** Whether the flag may be repeated. Its value is then the list. */
  readonly isList?: boolean;
  /** Whether the option has a key in the config file but no flag. */
  readonly isFileOnly?: boolean;
  /** Name of the option whose value, if set, replaces this one's default. */
  readonly inherits?: string;
}

export type Options = Readonly<Record<string, Option>>;
export type OptionValues<Specs extends Options> = {
  readonly [Name in keyof Specs]: Specs[Name] extends Option<infer Value> ? Value : never;
};

// The message states what was expected. The reporter adds the place and the value found.
const checked = <Value>(expected: string, holds: (value: unknown) => boolean) =>
  v.custom<Value>(holds, expected) as v.GenericSchema<unknown, Value>;

const booleans: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 'true', 'yes', 'y', 'on'].map((value) => [value, true] as const),
  ...[false, 'false', 'no', 'n', 'off'].map((value) => [value, false] as const),
]);

/**
 * Converts YAML 1.1 booleans, which Go exporters accept. YAML 1.2 reads `yes` and `off` as text. Undefined for anything
 * else.
 */
export const asBoolean = (value: unknown): boolean | undefined =>
  booleans.get(typeof value === 'string' ? value.toLowerCase() : value);

/** Converts a number that may be in quotes. */
const asNumber = (value: unknown): unknown =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : value;

/** Removes an option's flag: few installations need a value other than its default. */
export const fileOnly = <Value>(option: Option<Value>): Option<Value> => ({ ...option, isFileOnly: true });

/** A number from `min` to `max`, integral if `whole` is set. */
export const numberOption = <Default extends number | undefined>(spec: {
  help: string;
  default: Default;
  metavar: string;
  min: number;
  max: number;
  whole?: boolean;
}): Option<number | Default> => ({
  help: spec.help,
  default: spec.default,
  metavar: spec.metavar,
  schema: v.pipe(
    checked<unknown>(`a ${spec.whole ? 'whole ' : ''}number from ${spec.min} to ${spec.max}`, (given) => {
      const value = asNumber(given);
      return (
        typeof value === 'number' &&
        value >= spec.min &&
        value <= spec.max &&
        (spec.whole !== true || Number.isInteger(value))
      );
    }),
    v.transform((value) => asNumber(value) as number),
  ),
  fromText: (text) => text,
});

/** One of several words. */
export const choiceOption = <const Choice extends string>(spec: {
  help: string;
  default: Choice;
  choices: readonly Choice[];
}): Option<Choice> => ({
  help: spec.help,
  default: spec.default,
  metavar: spec.choices.join('|'),
  schema: checked(`one of ${spec.choices.join(', ')}`, (value) => spec.choices.some((choice) => choice === value)),
  fromText: (text) => text,
});

/** Any text that satisfies `holds`; `expected` describes it. */
export const textOption = (spec: {
  help: string;
  default: string;
  metavar: string;
  expected: string;
  holds: (text: string) => boolean;
}): Option<string> => ({
  help: spec.help,
  default: spec.default,
  metavar: spec.metavar,
  schema: checked(spec.expected, (value) => typeof value === 'string' && spec.holds(value)),
  fromText: (text) => text,
});

/**
 * Several texts that satisfy `holds`, at least one unless the default is empty. In the config file a list of one may be
 * a text.
 */
export const textListOption = (spec: {
  help: string;
  default: readonly string[];
  metavar: string;
  expected: string;
  holds: (text: string) => boolean;
}): Option<readonly string[]> => ({
  help: spec.help,
  default: spec.default,
  metavar: spec.metavar,
  schema: v.pipe(
    checked<string | readonly string[]>(
      `${spec.default.length > 0 ? 'a list of at least one' : 'a list, each item'}: ${spec.expected}`,
      (value) => {
        const list: unknown[] = Array.isArray(value) ? value : [value];
        return (
          list.length >= Math.min(1, spec.default.length) &&
          list.every((text) => typeof text === 'string' && spec.holds(text))
        );
      },
    ),
    v.transform((value) => (typeof value === 'string' ? [value] : value)),
  ),
  fromText: (text) => text,
  isList: true,
});

/** A cron pattern in node-cron's syntax. */
export const cronOption = (spec: { help: string; default: string }): Option<string> =>
  textOption({
    ...spec,
    metavar: 'PATTERN',
    expected: 'a cron pattern such as "*/5 * * * *"',
    holds: validate,
  });

const isRegExp = (source: string): boolean => {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
};

/** A regular expression that must match a whole name; undefined if not set. */
export const patternOption = (spec: { help: string }): Option<RegExp | undefined> => ({
  help: spec.help,
  default: undefined,
  metavar: 'REGEX',
  schema: v.pipe(
    checked<string>('a regular expression', (value) => typeof value === 'string' && isRegExp(value)),
    v.transform((source) => new RegExp(`^(?:${source})$`)),
  ),
  fromText: (text) => text,
});

/** A path, absolute unless `mayBeRelative` is set. If the default is undefined, the path is undefined unless set. */
export const pathOption = <Default extends string | undefined>(spec: {
  help: string;
  default: Default;
  mayBeRelative?: boolean;
}): Option<string | Default> => ({
  help: spec.help,
  default: spec.default,
  metavar: 'PATH',
  schema: checked(
    spec.mayBeRelative ? 'a path' : 'a path that begins with /',
    (value) =>
      typeof value === 'string' && (spec.mayBeRelative ? value !== '' : value.startsWith('/') && value.length > 1),
  ),
  fromText: (text) => text,
});

/** A switch. */
export const switchOption = (spec: { help: string; default: boolean }): Option<boolean> => ({
  help: spec.help,
  default: spec.default,
  metavar: '',
  schema: v.pipe(
    checked<unknown>('true or false', (value) => asBoolean(value) !== undefined),
    v.transform((value) => asBoolean(value)!),
  ),
});
