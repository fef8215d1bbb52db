import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Flag } from './flags.ts';
import { UsageError } from './usage-error.ts';

/** What a command line asks for: the flags that it gives, by name, as text or switch; and what to do instead of running. */
export interface CommandLine {
  readonly given: Readonly<Record<string, unknown>>;
  readonly configFile: string | undefined;
  readonly action: 'run' | 'check-config' | 'version' | 'help';
}

/** The flags that no config file can set. */
export const actionFlags: readonly { name: string; metavar: string; help: string }[] = [
  { name: 'config.file', metavar: 'PATH', help: 'YAML file with the settings; a flag beats the file.' },
  { name: 'config.check', metavar: '', help: 'Check flags and config file, then exit.' },
  { name: 'version', metavar: '', help: 'Print the version and exit.' },
  { name: 'help', metavar: '', help: 'Print this text and exit.' },
];

const parserOptions = (flags: readonly Flag[]): ParseArgsOptionsConfig =>
  Object.fromEntries([
    ...flags.map(({ name, option }) => [
      name,
      { type: option.fromText ? ('string' as const) : ('boolean' as const), multiple: option.isList ?? false },
    ]),
    ...actionFlags.map(({ name, metavar }) => [name, { type: metavar ? ('string' as const) : ('boolean' as const) }]),
  ]);

/** Reads arguments (without program and script). Throws UsageError for a flag that does not exist or lacks its value. */
export const parseCommandLine = (args: readonly string[], flags: readonly Flag[]): CommandLine => {
  try {
    const { values } = parseArgs({ args: [...args], options: parserOptions(flags), allowNegative: true });
    const { 'config.file': configFile, 'config.check': check, version, help, ...given } = values;
    return {
      given,
      configFile: typeof configFile === 'string' ? configFile : undefined,
      action: help ? 'help' : version ? 'version' : check ? 'check-config' : 'run',
    };
  } catch (error) {
    // node:util's messages name the flag and what is wrong; only their advice on positional arguments does not fit.
    throw new UsageError((error as Error).message.replace(/\. To specify a positional argument.*$/s, ''), {
      cause: error,
    });
  }
};
