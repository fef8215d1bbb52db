import { describeFlags } from '../../src/config/usage.ts';
import { flagsOf } from '../../src/config/flags.ts';
import { registry } from '../../src/collectors/registry.ts';
import { version } from '../../src/config/version.ts';

/** Text for roff: a line may not begin with its control characters. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');

/** The manual page xen-exporter(8), with every flag in the words of --help. */
export const manualPage = (): string => `.TH XEN\\-EXPORTER 8 "" "xen\\-exporter ${roff(version)}"
.SH NAME
xen\\-exporter \\- Prometheus exporter for the TCP accept path of Xen hosts and guests
.SH SYNOPSIS
.B xen\\-exporter
[\\fIFLAGS\\fR]
.br
.B xen\\-exporter rules
[\\fIFLAGS\\fR]
.SH DESCRIPTION
Serves metrics of accept queues, netfront, netback, event channels and the scheduling of vCPUs, in a guest or in Dom0, on port 10911.
.B xen\\-exporter rules
prints recording and alerting rules for Prometheus.
.SH OPTIONS
${describeFlags(flagsOf(registry))
  .map(
    ({ syntax, default: value, help }) =>
      `.TP\n.B ${roff(syntax)}\n${roff(help)}${value && ` Default: ${roff(value)}.`}`,
  )
  .join('\n')}
.SH FILES
.TP
.I /etc/default/xen\\-exporter
Flags of the daemon that systemd starts, in ARGS.
.SH SEE ALSO
.I /usr/share/doc/xen\\-exporter
`;
