import { actionFlags } from './command-line.ts';
import type { Flag } from './flags.ts';

/** A flag as people read it: how to write it, its default, what it does. */
export interface FlagText {
  readonly syntax: string;
  readonly default: string;
  readonly help: string;
}

const defaultText = (value: unknown): string => {
  if (value === undefined) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
};

/** Every flag in words: for --help and for the README's table. */
export const describeFlags = (flags: readonly Flag[]): FlagText[] => [
  ...actionFlags.map(({ name, metavar, help }) => ({
    syntax: metavar ? `--${name}=${metavar}` : `--${name}`,
    default: '',
    help,
  })),
  ...flags.map(({ name, option }) => ({
    syntax: option.fromText ? `--${name}=${option.metavar}` : `--[no-]${name}`,
    default: defaultText(option.default),
    help: option.help,
  })),
];

const commands = {
  serve: {
    line: 'xen-exporter [FLAGS]',
    purpose: `Prometheus exporter for the TCP accept path of Xen hosts and guests.

Other commands: xen-exporter helper, xen-exporter rules; --help after them.`,
  },
  helper: {
    line: 'xen-exporter helper [FLAGS]',
    purpose: 'Reads, as root, what xen-exporter --host=helper asks for by name over a Unix socket, and nothing else.',
  },
} as const;

/** The text of --help. */
export const usage = (
  flags: readonly Flag[],
  command: keyof typeof commands = 'serve',
): string => `Usage: ${commands[command].line}

${commands[command].purpose}

${describeFlags(flags)
  .map(({ syntax, default: value, help }) => `  ${syntax}\n      ${help}${value && ` (default: ${value})`}`)
  .join('\n')}
`;
