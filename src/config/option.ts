import { validate } from 'node-cron';
import * as v from 'valibot';

/** One setting: its default, what it means, and what values it takes, from the command line or the config file. */
export interface Option<Value = unknown> {
  readonly help: string;
  readonly default: Value;
  /** Placeholder of the value in the usage text. Empty for switches. */
  readonly metavar: string;
  /** Checks a value of the config file, or one made by `fromText`. */
  readonly schema: v.GenericSchema<unknown, Value>;
  /** Converts a flag's text before `schema` checks it. Absent for switches, which take no text. */
  readonly fromText?: (text: string) => unknown;
  /** Whether the flag may be given several times, its value being the list. */
  readonly isList?: boolean;
  /** The option has a key in the config file and no flag. */
  readonly isFileOnly?: boolean;
  /** Name of the option whose value counts before this one's default, where it was set. */
  readonly inherits?: string;
}

export type Options = Readonly<Record<string, Option>>;
export type OptionValues<Specs extends Options> = {
  readonly [Name in keyof Specs]: Specs[Name] extends Option<infer Value> ? Value : never;
};

// The message says what was expected; whoever reports it adds where and what was found.
const checked = <Value>(expected: string, holds: (value: unknown) => boolean) =>
  v.custom<Value>(holds, expected) as v.GenericSchema<unknown, Value>;

const booleans: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 'true', 'yes', 'y', 'on'].map((value) => [value, true] as const),
  ...[false, 'false', 'no', 'n', 'off'].map((value) => [value, false] as const),
]);

/** The meaning of a value of YAML 1.1, which exporters in Go read: `yes` and `off` too, which are texts in YAML 1.2. Undefined for anything else. */
export const asBoolean = (value: unknown): boolean | undefined =>
  booleans.get(typeof value === 'string' ? value.toLowerCase() : value);

/** A number, also one in quotes. */
const asNumber = (value: unknown): unknown =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : value;

/** The same option without a flag: few installations need another value than its default. */
export const fileOnly = <Value>(option: Option<Value>): Option<Value> => ({ ...option, isFileOnly: true });

/** A number from `min` to `max`, whole if `whole` is set. */
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

/** One of a few words. */
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

/** Any text that `holds`; `expected` says in words what that is. */
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

/** Several texts, each of which `holds`; at least one unless the default is none. In the config file a list of one may be a text. */
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

/** A cron pattern, as node-cron reads it. */
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

/** A regular expression that must match the whole of a name; undefined where none is given. */
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

/** A path, absolute unless `mayBeRelative` is set; where the default is undefined, none unless given. */
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
