import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { flagsOf, type Setting } from './settings.ts';
import { UsageError } from './usage-error.ts';

/** A flag that no config file can set. */
export interface ActionFlag {
  readonly name: string;
  /** What stands for its value; empty for a switch. */
  readonly metavar: string;
  readonly help: string;
}

const fileActions: readonly ActionFlag[] = [
  { name: 'config.file', metavar: 'PATH', help: 'YAML file with the settings; a flag beats the file.' },
  { name: 'config.check', metavar: '', help: 'Check flags and config file, then exit.' },
];
const actions: readonly ActionFlag[] = [
  { name: 'version', metavar: '', help: 'Print the version and exit.' },
  { name: 'help', metavar: '', help: 'Print this text and exit.' },
];

/** The action flags of a command. */
export const actionFlags = (readsConfigFile: boolean): readonly ActionFlag[] =>
  readsConfigFile ? [...fileActions, ...actions] : actions;

/** What a command line asks for: the flags that it gives, by name, as text or switch; and what to do instead of running. */
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

/** The message of node:util's parser, without its advice on positional arguments, which does not fit. */
const messageOf = (error: Error, settings: readonly Setting[]): string => {
  const message = error.message.replace(/\. To specify a positional argument.*$/s, '');
  const [, name] = /^Unknown option '--(?:no-)?([^']+)'/.exec(message) ?? [];
  const setting = settings.find((each) => each.name === name);
  return setting
    ? `--${setting.name}: this is no flag, set ${setting.path.join('.')} in the config file (--config.file)`
    : message;
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
  try {
    const options = parserOptions(flagsOf(settings), actionFlags(readsConfigFile));
    const { values } = parseArgs({ args: [...args], options, allowNegative: true });
    const { 'config.file': configFile, 'config.check': check, version, help, ...given } = values;
    return {
      given,
      configFile: typeof configFile === 'string' ? configFile : undefined,
      action: help ? 'help' : version ? 'version' : check ? 'check-config' : 'run',
    };
  } catch (error) {
    throw new UsageError(messageOf(error as Error, settings), { cause: error });
  }
};
