import { actionFlags } from './command-line.ts';
import { flagsOf, type Setting } from './settings.ts';

/** A command as people read about it. */
export interface CommandText {
  /** As it is called: `xen-exporter NAME`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Purpose of the command, in sentences. */
  readonly description: string;
  /** Whether its settings may stand in a config file. */
  readonly readsConfigFile: boolean;
  readonly settings: readonly Setting[];
}

/** A setting as people read about it: how to write it, its default, what it does. */
export interface SettingText {
  readonly syntax: string;
  readonly default: string;
  readonly help: string;
}

const defaultText = (value: unknown): string => {
  if (value === undefined) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
};

/** Every flag of a command in words: for --help, the manual page and the docs. */
export const describeFlags = ({
  settings,
  readsConfigFile,
}: Pick<CommandText, 'settings' | 'readsConfigFile'>): SettingText[] => [
  ...actionFlags(readsConfigFile).map(({ name, metavar, help }) => ({
    syntax: metavar ? `--${name}=${metavar}` : `--${name}`,
    default: '',
    help,
  })),
  ...flagsOf(settings).map(({ name, option }) => ({
    syntax: option.fromText ? `--${name}=${option.metavar}` : `--[no-]${name}`,
    default: defaultText(option.default),
    help: option.help,
  })),
];

/** Every setting that has a key in the config file and no flag, in words. */
export const describeFileSettings = (settings: readonly Setting[]): SettingText[] =>
  settings
    .filter(({ option }) => option.isFileOnly)
    .map(({ path, option }) => ({
      syntax: path.join('.'),
      default: defaultText(option.default),
      help: option.help,
    }));

/** How a command is written; the first one, which runs when none is named, needs no name. */
export const synopsis = (command: CommandText, commands: readonly CommandText[]): string =>
  `xen-exporter ${command === commands[0] ? '' : `${command.name} `}[FLAGS]`;

/** The text of `xen-exporter NAME --help`; that of the first command lists all of them. */
export const usage = (command: CommandText, commands: readonly CommandText[]): string => {
  const others = commands
    .filter((each) => each !== command)
    .map(({ name, summary }) => `  xen-exporter ${name}\n      ${summary}`);
  const list = command === commands[0] ? `\n\nOther commands (--help after the name):\n${others.join('\n')}` : '';
  const flags = describeFlags(command).map(
    ({ syntax, default: value, help }) => `  ${syntax}\n      ${help}${value && ` (default: ${value})`}`,
  );
  return `Usage: ${synopsis(command, commands)}\n\n${command.description}${list}\n\nFlags:\n${flags.join('\n')}\n`;
};
