import { actionFlags } from './command-line.ts';
import { flagsOf, type Setting } from './settings.ts';

/** A command's text for readers. */
export interface CommandText {
  /** Its name on the command line: `xen-exporter NAME`. */
  readonly name: string;
  /** Its description in sentences. */
  readonly description: string;
  /** Whether a config file can set its settings. */
  readonly readsConfigFile: boolean;
  readonly settings: readonly Setting[];
}

/** A command in the list of all. */
export interface CommandSummary {
  readonly name: string;
  /** One line. */
  readonly summary: string;
}

/** A setting's text for readers: syntax, default and meaning. */
export interface SettingText {
  readonly syntax: string;
  readonly default: string;
  readonly help: string;
}

const defaultText = (value: unknown): string => {
  if (value === undefined) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
};

/** Describes every flag of a command, for --help, the manual page and the docs. */
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

/** Describes every setting that has only a key in the config file. */
export const describeFileSettings = (settings: readonly Setting[]): SettingText[] =>
  settings
    .filter(({ option }) => option.isFileOnly)
    .map(({ path, option }) => ({
      syntax: path.join('.'),
      default: defaultText(option.default),
      help: option.help,
    }));

/** Syntax of a command. The first command is the default and needs no name. */
export const synopsis = ({ name }: Pick<CommandText, 'name'>, commands: readonly CommandSummary[]): string =>
  `xen-exporter ${name === commands[0]?.name ? '' : `${name} `}[FLAGS]`;

/** Text of `xen-exporter NAME --help`. The first command's text lists all others. */
export const usage = (command: CommandText, commands: readonly CommandSummary[]): string => {
  const others = commands
    .filter(({ name }) => name !== command.name)
    .map(({ name, summary }) => `  xen-exporter ${name}\n      ${summary}`);
  const list =
    command.name === commands[0]?.name ? `\n\nOther commands (--help after the name):\n${others.join('\n')}` : '';
  const flags = describeFlags(command).map(
    ({ syntax, default: value, help }) => `  ${syntax}\n      ${help}${value && ` (default: ${value})`}`,
  );
  return `Usage: ${synopsis(command, commands)}\n\n${command.description}${list}\n\nFlags:\n${flags.join('\n')}\n`;
};
