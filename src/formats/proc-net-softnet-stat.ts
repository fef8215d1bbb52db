import { fileLines } from './output-lines.ts';
import { orSkip, ParseError, quote, refuse, type Skip } from './parse-error.ts';

/** One CPU's receive statistics. The counters are u32 and wrap; undefined values were skipped. */
export interface SoftnetCpu {
  /** CPU number. Absent before Linux 5.10, whose rows are the online CPUs in order. */
  cpu?: number;
  /** Packets that this CPU received. Counter. */
  processed: number | undefined;
  /** Packets dropped because this CPU's backlog was full (net.core.netdev_max_backlog). Counter. */
  dropped: number | undefined;
  /** NET_RX rounds that ended with work left because net.core.netdev_budget or its time was used up. Counter. */
  timeSqueezed: number | undefined;
  /** Packets in this CPU's backlog now. Absent before Linux 5.10. */
  backlog?: number;
}

const backlogColumn = 11;
const cpuColumn = 12;
// Nine in Linux 2.6, thirteen since 5.10, later fifteen.
const oldestColumns = 9;

const isHex = (text: string | undefined): boolean => text !== undefined && /^[0-9a-f]{8}$/.test(text);

const parseRow = (line: string, skip: Skip): SoftnetCpu => {
  const columns = line.trim().split(/ +/);
  const number = columns[cpuColumn];
  const isRow = columns.length >= oldestColumns && columns.some(isHex) && (number === undefined || isHex(number));
  const error = (): ParseError =>
    new ParseError(`at least ${oldestColumns} numbers of eight hex digits`, quote(line, 'an empty line'));
  if (!isRow) throw error();
  const broken = columns.find((column) => !isHex(column));
  if (broken !== undefined) skip(error());
  const value = (index: number): number | undefined =>
    isHex(columns[index]) ? Number.parseInt(columns[index]!, 16) : undefined;
  const [cpu, backlog] = [value(cpuColumn), value(backlogColumn)];
  return {
    ...(cpu !== undefined && { cpu }),
    processed: value(0),
    dropped: value(1),
    timeSqueezed: value(2),
    ...(backlog !== undefined && { backlog }),
  };
};

/**
 * Parses /proc/net/softnet_stat (net/core/net-procfs.c, softnet_seq_show): one line of hex numbers per online CPU. An
 * unreadable row is undefined, because before Linux 5.10 only its position identifies the CPU. Errors of broken rows
 * and numbers go to `skip`. Throws ParseError.
 */
export const parseSoftnetStat = (text: string, skip = refuse): (SoftnetCpu | undefined)[] => {
  const rows = fileLines(text).map((line) => orSkip(skip, () => parseRow(line, skip)));
  if (rows.length === 0) throw new ParseError('a line of hex numbers per CPU', quote(text));
  return rows;
};
