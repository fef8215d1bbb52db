import { outputLines } from './output-lines.ts';
import { ignore, ParseError, quote } from './parse-error.ts';
import { xlRows } from './xl-rows.ts';

/** One cpupool. */
export interface XlCpupool {
  name: string;
  /** Number of physical CPUs. */
  cpus: number;
  scheduler: string;
  domains: number;
}

// "%-19s%3d %9s       y       %4d". A name of 19 or more bytes leaves no space before the number, which is then the
// last three characters, or four after a padded name.
const pattern =
  /^(?<name>.*)(?<cpus>(?<= {2})\d{4}| {2}\d| \d{2}|(?<! {2}\d)\d{3}) {1,9}(?<scheduler>\S{1,32}) {7}[yn] {7,10}(?<domains>\d{1,5})$/s;

/**
 * Parses `xl cpupool-list` (tools/xl/xl_cpupool.c, main_cpupoollist). Omits pools whose name contains a newline and
 * lines that are not rows (see xlRows); they go to `skip`. Throws ParseError, also if no pool remains: there is always
 * one.
 */
export const parseXlCpupoolList = (text: string, skip = ignore): XlCpupool[] => {
  const [heading, ...lines] = outputLines(text);
  if (!heading!.startsWith('Name') || !heading!.includes('Sched')) {
    throw new ParseError('a line "Name CPUs Sched ..."', quote(heading!, 'an empty line'));
  }
  const rows = xlRows(lines, pattern, ['name'], skip);
  if (rows.length === 0)
    throw new ParseError('a row "Name CPUs Sched Active Domains"', quote(lines[0] ?? '', 'nothing'));
  return rows.map((row) => ({
    name: row['name']!,
    cpus: Number(row['cpus']),
    scheduler: row['scheduler']!,
    domains: Number(row['domains']),
  }));
};
