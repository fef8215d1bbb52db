import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { flagsOf, type Setting } from './settings.ts';
import { UsageError } from './usage-error.ts';

/** A flag that no config file can set. */
export interface ActionFlag {
  readonly name: string;
  /** Placeholder of the value in the usage text. Empty for a switch. */
  readonly metavar: string;
  readonly help: string;
}

const fileActions: readonly ActionFlag[] = [
  { name: 'config.file', metavar: 'PATH', help: 'YAML file with the settings; a flag beats the file.' },
  { name: 'config.check', metavar: '', help: 'Check flags and config file, then exit.' },
];
const commonActions: readonly ActionFlag[] = [
  { name: 'version', metavar: '', help: 'Print the version and exit.' },
  { name: 'help', metavar: '', help: 'Print this text and exit.' },
];

/** The action flags of a command. */
export const actionFlags = (readsConfigFile: boolean): readonly ActionFlag[] =>
  readsConfigFile ? [...fileActions, ...commonActions] : commonActions;

/** A parsed command line: flags by name, as text or switch, and the action instead of running. */
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

/** The message for a flag that the command does not have. `given`: as it was typed, without its value. */
const unknownFlag = (given: string, settings: readonly Setting[], actions: readonly ActionFlag[]): string => {
  const name = given.replace(/^--(?:no-)?/, '');
  const setting = settings.find((each) => each.name === name);
  if (setting?.option.isFileOnly) {
    return `--${name}: this is no flag, set ${setting.path.join('.')} in the config file (--config.file)`;
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
 * Reads arguments (without program, script and command) for a command with these settings. Throws UsageError for a flag that does not exist or
 * lacks its value.
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
