import { readConfigFile, type ConfigFile } from '../config/config-file.ts';
import { parseCommandLine, type CommandLine } from '../config/command-line.ts';
import { usage, type CommandText } from '../config/usage.ts';
import { UsageError } from '../config/usage-error.ts';
import { version } from '../config/version.ts';

/** Input of the user: flags by name, and the config file if one is named. */
export interface Given extends Pick<CommandLine, 'given'> {
  readonly file: ConfigFile | undefined;
}

/** A command of `xen-exporter`. */
export interface Command extends CommandText {
  /** For --config.check: reads what the command would read at its start. Throws UsageError. */
  check?(given: Given): void;
  /** Throws UsageError before it does anything, where what was given cannot be used. */
  run(given: Given): Promise<void> | void;
}

/** Prints on stdout. */
export const print = (text: string): void => void process.stdout.write(text);

/** Warns on stderr: the command does what it was asked for. */
export const warn = (text: string): void => void process.stderr.write(`xen-exporter: warning: ${text}\n`);

/** Runs the command that the arguments (without program and script) name, the first where they name none. Rejects with UsageError and with what the command throws. */
const runCommand = async (commands: readonly Command[], args: readonly string[]): Promise<void> => {
  const named = commands.find(({ name }) => name === args[0]);
  const command = named ?? commands[0]!;
  if (!named && args[0] !== undefined && !args[0].startsWith('-')) {
    throw new UsageError(`${args[0]}: expected one of ${commands.map(({ name }) => name).join(', ')}, or a flag`);
  }
  const { action, configFile, given } = parseCommandLine(named ? args.slice(1) : args, command.settings, command);
  if (action === 'help') return print(usage(command, commands));
  if (action === 'version') return print(`xen-exporter ${version}\n`);
  const all = { given, file: configFile === undefined ? undefined : readConfigFile('config.file', configFile) };
  if (action === 'run') return command.run(all);
  command.check?.(all);
  print('Flags and config files are valid\n');
};

const exitStatus = { failed: 1, badUsage: 2 } as const;

/** `runCommand` for a process: an error is printed, and becomes the exit status. */
export const main = async (commands: readonly Command[], args: readonly string[]): Promise<void> => {
  // The reader of a pipe may have enough of it, as `head` has.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    await runCommand(commands, args);
  } catch (error) {
    process.stderr.write(`xen-exporter: ${(error as Error).message.replaceAll('\n', '\nxen-exporter: ')}\n`);
    process.exitCode = error instanceof UsageError ? exitStatus.badUsage : exitStatus.failed;
  }
};
