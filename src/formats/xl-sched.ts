import { outputLines } from './output-lines.ts';
import { ignore, ParseError, quote, type Skip } from './parse-error.ts';
import { domainName, type XlRow, xlRows } from './xl-rows.ts';

/** Scheduling parameters of one domain: weight and cap for credit and credit2, the others for RTDS. */
export interface XlSchedDomain {
  domid: number;
  /** Undefined while the domain has none. */
  name: string | undefined;
  /** Share relative to other domains; 256 unless set. */
  weight?: number;
  /** CPU limit in physical CPUs. Absent without a limit, and with credit2 in old Xen, which had none. */
  capCpus?: number;
  periodSeconds?: number;
  /** Guaranteed time of each vCPU per period. */
  budgetSeconds?: number;
  /** Whether it may use spare time. Absent in old Xen. */
  extratime?: boolean;
}

/** One cpupool with the parameters of its scheduler. Absent also if xl could not read them. */
export interface XlSchedPool {
  name: string;
  /** Credit only. */
  timesliceSeconds?: number;
  /** Credit and credit2; 0 means none. */
  ratelimitSeconds?: number;
  /** Credit only. Absent before Xen 4.11. */
  migrationDelaySeconds?: number;
  domains: XlSchedDomain[];
}

// Up to Xen 4.7, schedulers without parameters, such as credit2, leave the rest empty. Any release may add parameters.
const poolLine =
  /^Cpupool (?<name>.*):(?: ?| \[sched params unavailable\]|(?<parameters>(?: [A-Za-z_-]{1,32}=[^\s=]{1,32}){1,16}))$/s;

/** A numeric parameter of a pool in its unit. */
const parameter = (parameters: string, name: string, unit: string): number | undefined => {
  const [, digits] = new RegExp(` ${name}=(\\d{1,10})${unit}(?: |$)`).exec(parameters) ?? [];
  return digits === undefined ? undefined : Number(digits);
};

// Xen 4.9 had neither credit2's cap nor extratime.
const headingLine = /^Name +ID +(?:Weight|Weight +Cap|Period +Budget|Period +Budget +Extratime)$/;

// "%-33s %4d %6d %4d", without the last before credit2's cap; "%-33s %4d %9d %9d %10s", without the last before
// extratime.
const creditRow = /^(?<name>.*) {1,4}(?<domid>\d{1,5}) {1,6}(?<weight>\d{1,6}) {1,4}(?<cap>\d{1,7})$/s;
const caplessRow = /^(?<name>.*) {1,4}(?<domid>\d{1,5}) {1,6}(?<weight>\d{1,6})$/s;
const rtdsRow =
  /^(?<name>.*) {1,4}(?<domid>\d{1,5}) {1,9}(?<period>\d{1,10}) {1,9}(?<budget>\d{1,10}) {8,9}(?<extratime>yes|no)$/s;
const plainRtdsRow = /^(?<name>.*) {1,4}(?<domid>\d{1,5}) {1,9}(?<period>\d{1,10}) {1,9}(?<budget>\d{1,10})$/s;

const rowPattern = (heading: string): RegExp => {
  if (heading.includes('Weight')) return heading.includes('Cap') ? creditRow : caplessRow;
  return heading.includes('Extratime') ? rtdsRow : plainRtdsRow;
};

const domain = (row: XlRow): XlSchedDomain => {
  const { domid, weight, cap, period, budget, extratime } = row;
  return {
    domid: Number(domid),
    name: domainName(row),
    ...(weight !== undefined && { weight: Number(weight) }),
    ...(cap !== undefined && Number(cap) !== 0 && { capCpus: Number(cap) / 100 }),
    ...(period !== undefined && { periodSeconds: Number(period) / 1e6 }),
    ...(budget !== undefined && { budgetSeconds: Number(budget) / 1e6 }),
    ...(extratime !== undefined && { extratime: extratime === 'yes' }),
  };
};

const domains = (heading: string | undefined, lines: string[], skip: Skip): XlSchedDomain[] => {
  // `xl sched-credit -s` prints only the pool's line.
  if (heading === undefined) return [];
  if (!headingLine.test(heading)) {
    throw new ParseError(
      'a line "Name ID Weight Cap" or "Name ID Period Budget Extratime"',
      quote(heading, 'an empty line'),
    );
  }
  // A second heading belongs to a pool whose name contains a newline, and so do its rows.
  const next = lines.indexOf(heading);
  return xlRows(next === -1 ? lines : lines.slice(0, next), rowPattern(heading), ['domid'], skip).map(domain);
};

/**
 * Parses `xl sched-credit`, `xl sched-credit2` and `xl sched-rtds` (tools/xl/xl_sched.c, sched_domain_output): the
 * cpupools with that scheduler and their domains. Empty output means no such cpupool. Omits domains and cpupools whose
 * name contains a newline and lines that are not rows (see xlRows); they go to `skip`. Throws ParseError.
 */
export const parseXlSched = (text: string, skip = ignore): XlSchedPool[] => {
  if (text === '') return [];
  const lines = outputLines(text);
  const starts = lines.flatMap((line, index) => (poolLine.test(line) ? [index] : []));
  if (starts.length === 0) throw new ParseError('a line "Cpupool name: ..."', quote(lines[0]!, 'an empty line'));
  return starts.map((start, pool) => {
    const { name, parameters = '' } = poolLine.exec(lines[start]!)!.groups!;
    const [heading, ...rows] = lines.slice(start + 1, starts[pool + 1]);
    const timeslice = parameter(parameters, 'tslice', 'ms');
    const ratelimit = parameter(parameters, 'ratelimit', 'us');
    const migrationDelay = parameter(parameters, 'migration-delay', 'us');
    return {
      name: name!,
      ...(timeslice !== undefined && { timesliceSeconds: timeslice / 1e3 }),
      ...(ratelimit !== undefined && { ratelimitSeconds: ratelimit / 1e6 }),
      ...(migrationDelay !== undefined && { migrationDelaySeconds: migrationDelay / 1e6 }),
      domains: domains(heading, rows, skip),
    };
  });
};
