import { outputLines } from './output-lines.ts';
import { ignore, ParseError, quote } from './parse-error.ts';
import { domainName, type XlRow, xlRows } from './xl-rows.ts';

/** State of a vCPU. `runnable` waits for a physical CPU, or its domain is paused, which this output does not show. */
export type XlVcpuState = 'running' | 'blocked' | 'runnable' | 'offline';

/** One vCPU. */
export interface XlVcpu {
  domid: number;
  /** Undefined while the domain has none. */
  name: string | undefined;
  vcpu: number;
  /** Physical CPU on which it runs or last ran; undefined while it is offline. */
  cpu: number | undefined;
  state: XlVcpuState;
  /** CPU time since the domain's creation, as precise as XlDomain's. Counter. */
  cpuSeconds: number;
}

// "%-32s %5u %5u", then "%5u %3c%c- " online or "%5c %3c%cp " offline, "%9.1f  ", and two CPU lists ("all", "none",
// "0-3,8"): "%s / %s". Before Xen 4.5 only one, which may be "any cpu" (libxl of Xen 4.4, tools/libxl/xl_cmdimpl.c,
// print_bitmap).
const pattern =
  /^(?<name>.*) {1,5}(?<domid>\d{1,5}) {1,5}(?<vcpu>\d{1,5})(?: {1,4}(?<cpu>\d{1,4}) {3}(?<state>[r-][b-])-| {4}- {3}--p) {1,9}(?<cpuSeconds>\d{1,12}\.\d) {2}(?:[^ ]+ \/ [^ ]+|[^ ]+|any cpu)$/s;

const states: Record<string, XlVcpuState> = { 'r-': 'running', rb: 'running', '-b': 'blocked', '--': 'runnable' };

const vcpu = (row: XlRow): XlVcpu => ({
  domid: Number(row['domid']),
  name: domainName(row),
  vcpu: Number(row['vcpu']),
  cpu: row['cpu'] === undefined ? undefined : Number(row['cpu']),
  state: row['state'] === undefined ? 'offline' : states[row['state']]!,
  cpuSeconds: Number(row['cpuSeconds']),
});

/**
 * Parses `xl vcpu-list` (tools/xl/xl_vcpu.c, print_vcpuinfo), for all domains. Omits domains whose name contains a
 * newline and lines that are not rows (see xlRows); they go to `skip`. Throws ParseError, also if no vCPU remains:
 * there are always those of Domain-0.
 */
export const parseXlVcpuList = (text: string, skip = ignore): XlVcpu[] => {
  const [heading, ...lines] = outputLines(text);
  if (!heading!.startsWith('Name') || !heading!.includes('Affinity')) {
    throw new ParseError('a line "Name ... Affinity ..."', quote(heading!, 'an empty line'));
  }
  const rows = xlRows(lines, pattern, ['domid', 'vcpu'], skip);
  if (rows.length === 0)
    throw new ParseError('a row "Name ID VCPU CPU State Time(s) ..."', quote(lines[0] ?? '', 'nothing'));
  return rows.map(vcpu);
};
