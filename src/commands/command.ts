import { readConfigFile, type ConfigFile } from '../config/config-file.ts';
import { parseCommandLine, type CommandLine } from '../config/command-line.ts';
import { usage, type CommandSummary, type CommandText } from '../config/usage.ts';
import { UsageError } from '../config/usage-error.ts';
import { version } from '../config/version.ts';

/** The user's input: flags by name, and the config file if one was named. */
export interface Given extends Pick<CommandLine, 'given'> {
  readonly file: ConfigFile | undefined;
}

/** A command of `xen-exporter`. */
export interface Command extends CommandText {
  /** Reads, for --config.check, what the command reads at its start. Throws UsageError. */
  check?(given: Given): void;
  /** Runs the command. Throws UsageError before it acts if the input cannot be used. */
  run(given: Given): Promise<void> | void;
}

/**
 * A command in the table of all. Its code loads when it is named, because the exporter does not need the memory of the
 * others.
 */
export interface CommandEntry extends CommandSummary {
  /** Exit status of errors, wrong usage included, if the usual 1 and 2 mean something else. */
  readonly failureStatus?: number;
  load(): Promise<Command>;
}

/** Prints on stdout. */
export const print = (text: string): void => void process.stdout.write(text);

/** Warns on stderr. The command still runs. */
export const warn = (text: string): void => void process.stderr.write(`xen-exporter: warning: ${text}\n`);

/**
 * Runs the command named by the arguments (without program and script), by default the first one. Rejects with
 * UsageError and with the command's error.
 */
const runCommand = async (commands: readonly CommandEntry[], args: readonly string[]): Promise<void> => {
  const named = commands.find(({ name }) => name === args[0]);
  if (!named && args[0] !== undefined && !args[0].startsWith('-')) {
    throw new UsageError(`${args[0]}: expected one of ${commands.map(({ name }) => name).join(', ')}, or a flag`);
  }
  const command = await (named ?? commands[0]!).load();
  const { action, configFile, given } = parseCommandLine(named ? args.slice(1) : args, command.settings, command);
  if (action === 'help') return print(usage(command, commands));
  if (action === 'version') return print(`xen-exporter ${version}\n`);
  const all = { given, file: configFile === undefined ? undefined : readConfigFile('config.file', configFile) };
  if (action === 'run') return command.run(all);
  command.check?.(all);
  print('Flags and config files are valid\n');
};

const exitStatus = { failed: 1, badUsage: 2 } as const;

/** `runCommand` for a process: prints the error and sets the exit status. */
export const main = async (commands: readonly CommandEntry[], args: readonly string[]): Promise<void> => {
  // The reader of a pipe may close it early, as `head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    await runCommand(commands, args);
  } catch (error) {
    process.stderr.write(`xen-exporter: ${(error as Error).message.replaceAll('\n', '\nxen-exporter: ')}\n`);
    const { failureStatus } = commands.find(({ name }) => name === args[0]) ?? {};
    process.exitCode = failureStatus ?? (error instanceof UsageError ? exitStatus.badUsage : exitStatus.failed);
  }
};
