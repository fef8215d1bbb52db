import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { flagsOf, type Setting } from './settings.ts';
import { UsageError } from './usage-error.ts';

/** A flag without a key in the config file. */
export interface ActionFlag {
  readonly name: string;
  /** Placeholder of its value; empty for a switch. */
  readonly metavar: string;
  readonly help: string;
}

const fileActions: readonly ActionFlag[] = [
  { name: 'config.file', metavar: 'PATH', help: 'YAML file with settings. Flags override it.' },
  { name: 'config.check', metavar: '', help: 'Check flags and config file, then exit.' },
];
const commonActions: readonly ActionFlag[] = [
  { name: 'version', metavar: '', help: 'Print the version and exit.' },
  { name: 'help', metavar: '', help: 'Print this text and exit.' },
];

/** Action flags of a command. */
export const actionFlags = (readsConfigFile: boolean): readonly ActionFlag[] =>
  readsConfigFile ? [...fileActions, ...commonActions] : commonActions;

/** A parsed command line: flag values by name, and the action that replaces running. */
export interface CommandLine {
  readonly given: Readonly<Record<string, unknown>>;
  readonly configFile: string | undefined;
  readonly action: 'run' | 'check-config' | 'version' | 'help';
}

const parserOptions = (flags: readonly Setting[], actions: readonly ActionFlag[]): ParseArgsOptionsConfig =>
  Object.fromEntries([
    ...flags.map(({ name, option }) => [
      name,
      { type: option.fromText ? ('string' as const) : ('boolean' as const), multiple: option.isList ?? false },
    ]),
    ...actions.map(({ name, metavar }) => [name, { type: metavar ? ('string' as const) : ('boolean' as const) }]),
  ]);

/** Message for an unknown flag. `given` is the flag as typed, without its value. */
const unknownFlag = (given: string, settings: readonly Setting[], actions: readonly ActionFlag[]): string => {
  const name = given.replace(/^--(?:no-)?/, '');
  const setting = settings.find((each) => each.name === name);
  if (setting?.option.isFileOnly) {
    return `--${name}: not a flag, set ${setting.path.join('.')} in the config file (--config.file)`;
  }
  const metavar = setting?.option.metavar ?? actions.find((each) => each.name === name)?.metavar;
  return metavar
    ? `${given}: this flag takes a value, --${name}=${metavar}`
    : `Unknown option '${given}', --help lists the flags`;
};

/** The message of node:util's parser, or a better one. */
const messageOf = (error: Error, settings: readonly Setting[], actions: readonly ActionFlag[]): string => {
  const [, given] = /^Unknown option '([^']+)'/.exec(error.message) ?? [];
  return given === undefined ? error.message : unknownFlag(given, settings, actions);
};

/**
 * Parses arguments (without program, script and command) for a command with these settings. Throws UsageError for an
 * unknown flag or a missing value.
 */
export const parseCommandLine = (
  args: readonly string[],
  settings: readonly Setting[],
  { readsConfigFile = true } = {},
): CommandLine => {
  const actions = actionFlags(readsConfigFile);
  try {
    const options = parserOptions(flagsOf(settings), actions);
    const { values } = parseArgs({ args: [...args], options, allowNegative: true });
    const { 'config.file': configFile, 'config.check': check, version, help, ...given } = values;
    return {
      given,
      configFile: typeof configFile === 'string' ? configFile : undefined,
      action: help ? 'help' : version ? 'version' : check ? 'check-config' : 'run',
    };
  } catch (error) {
    throw new UsageError(messageOf(error as Error, settings, actions), { cause: error });
  }
};
