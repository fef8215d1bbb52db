import { outputLines } from './output-lines.ts';
import { ignore, ParseError, quote } from './parse-error.ts';
import { domainName, type XlRow, xlRows } from './xl-rows.ts';

/** One domain. */
export interface XlDomain {
  domid: number;
  /** Undefined while the domain has none. */
  name: string | undefined;
  /** Memory that the domain has or has claimed. */
  memoryBytes: number;
  /** 0 while the domain is being built. */
  onlineVcpus: number;
  /**
   * Xen's states. Several may be true, even running and blocked, and none while every vCPU waits for a physical CPU.
   */
  states: {
    running: boolean;
    blocked: boolean;
    paused: boolean;
    /** Shut down for any reason, including a crash. */
    shutdown: boolean;
    crashed: boolean;
    dying: boolean;
  };
  /**
   * CPU time of all its vCPUs since its creation. Printed to 0.1 s but computed in single precision, so the steps are
   * larger beyond some 10^6 s. Counter.
   */
  cpuSeconds: number;
  uuid: string;
}

const bytesPerMebibyte = 1024 * 1024;

// "%-40s %5d %5lu %5d     %c%c%c%c%c%c  %8.1f", " " uuid, " %8s" or " %8x", " %16s".
const pattern =
  /^(?<name>.*) {1,5}(?<domid>\d{1,5}) {1,5}(?<mebibytes>\d{1,12}) {1,5}(?<vcpus>\d{1,5}) {5}(?<states>[r-][b-][p-][s-][-rscwS?][d-]) {2,8}(?<cpuSeconds>\d{1,12}\.\d) (?<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}) {1,8}(?:-|[0-9a-f]{1,8}) {1,16}\S+$/s;

const domain = (row: XlRow): XlDomain => {
  const states = row['states']!;
  return {
    domid: Number(row['domid']),
    name: domainName(row),
    memoryBytes: Number(row['mebibytes']) * bytesPerMebibyte,
    onlineVcpus: Number(row['vcpus']),
    states: {
      running: states[0] === 'r',
      blocked: states[1] === 'b',
      paused: states[2] === 'p',
      shutdown: states[3] === 's',
      crashed: states[4] === 'c',
      dying: states[5] === 'd',
    },
    cpuSeconds: Number(row['cpuSeconds']),
    uuid: row['uuid']!,
  };
};

/**
 * Parses `xl list -v` (tools/xl/xl_info.c, list_domains). Omits domains whose name contains a newline and lines that
 * are not rows (see xlRows); they go to `skip`. Throws ParseError, also if no domain remains: there is always Domain-0.
 */
export const parseXlList = (text: string, skip = ignore): XlDomain[] => {
  const [heading, ...lines] = outputLines(text);
  if (!heading!.startsWith('Name') || !heading!.includes('UUID')) {
    throw new ParseError('a line "Name ... UUID ..."', quote(heading!, 'an empty line'));
  }
  const rows = xlRows(lines, pattern, ['domid'], skip);
  if (rows.length === 0)
    throw new ParseError('a row "Name ID Mem VCPUs State Time(s) UUID ..."', quote(lines[0] ?? '', 'nothing'));
  return rows.map(domain);
};
