import { commands } from '../../src/commands/registry.ts';
import { defaultPort } from '../../src/config/global-options.ts';
import {
  describeFileSettings,
  describeFlags,
  synopsis,
  type CommandText,
  type SettingText,
} from '../../src/config/usage.ts';
import { version } from '../../src/config/version.ts';

/** Escapes text for roff, whose lines may not start with control characters. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');

const synopsisOf = (command: CommandText): string => {
  const words = synopsis(command, commands).replace(' [FLAGS]', '');
  return `.B ${roff(words)}\n[\\fIFLAGS\\fR]`;
};

const list = (settings: readonly SettingText[]): string =>
  settings
    .map(
      ({ syntax, default: value, help }) =>
        `.TP\n.B ${roff(syntax)}\n${roff(help)}${value && ` Default: ${roff(value)}.`}`,
    )
    .join('\n');

const flagsOf = (command: CommandText): string => list(describeFlags(command));

const loaded = await Promise.all(commands.map((entry) => entry.load()));
const [first, ...others] = loaded;

/** The manual page xen-exporter(8): every command and flag in the words of --help. */
export const manualPage = (): string => `.TH XEN\\-EXPORTER 8 "" "xen\\-exporter ${roff(version)}"
.SH NAME
xen\\-exporter \\- Prometheus exporter for the TCP accept path of Xen hosts and guests
.SH SYNOPSIS
${loaded.map(synopsisOf).join('\n.br\n')}
.SH DESCRIPTION
Serves metrics of accept queues, netfront, netback, event channels and the scheduling of vCPUs, in a guest or in Dom0, on port ${defaultPort}.
.SH OPTIONS
${flagsOf(first!)}
.SH CONFIG FILE
Every flag is a key of the file that \\-\\-config.file names: \\-\\-log.level is the key level below log. These keys have no flag:
${list(describeFileSettings(first!.settings))}
.SH COMMANDS
${others
  .map(
    (command) => `.SS xen\\-exporter ${roff(command.name)}
${roff(command.description)}
${flagsOf(command)}`,
  )
  .join('\n')}
.SH FILES
.TP
.I /etc/default/xen\\-exporter
Flags of the exporter that systemd starts, in ARGS, and of its helper, in HELPER_ARGS.
.SH SEE ALSO
.I /usr/share/xen\\-exporter
(rules, runbooks, dashboards, docs)
`;
