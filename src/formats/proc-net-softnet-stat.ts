import { ParseError, quote } from './parse-error.ts';

/** One CPU's share of receiving packets. The counters are u32 and wrap. */
export interface SoftnetCpu {
  /** Number of the CPU. Absent before Linux 5.10: rows are those of the CPUs that are online, in their order. */
  cpu?: number;
  /** Packets that this CPU received. Counter. */
  processed: number;
  /** Packets dropped because this CPU's backlog was full (net.core.netdev_max_backlog). Counter. */
  dropped: number;
  /** Rounds of NET_RX that ended with work left: net.core.netdev_budget or its time was used up. Counter. */
  timeSqueezed: number;
  /** Packets in this CPU's backlog now. Absent before Linux 5.10. */
  backlog?: number;
}

const backlogColumn = 11;
const cpuColumn = 12;
// Nine in Linux 2.6, thirteen since 5.10, and by now fifteen.
const oldestColumns = 9;

const parseRow = (line: string): SoftnetCpu => {
  const columns = line.split(' ');
  if (columns.length < oldestColumns || !columns.every((column) => /^[0-9a-f]{8}$/.test(column))) {
    throw new ParseError(`at least ${oldestColumns} numbers of eight hex digits`, quote(line, 'an empty line'));
  }
  const values = columns.map((column) => Number.parseInt(column, 16));
  const backlog = values[backlogColumn];
  const cpu = values[cpuColumn];
  return {
    ...(cpu !== undefined && { cpu }),
    processed: values[0]!,
    dropped: values[1]!,
    timeSqueezed: values[2]!,
    ...(backlog !== undefined && { backlog }),
  };
};

/** /proc/net/softnet_stat (net/core/net-procfs.c, softnet_seq_show): one line of hex numbers per CPU online. Throws ParseError. */
export const parseSoftnetStat = (text: string): SoftnetCpu[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new ParseError('a line of hex numbers per CPU', quote(text));
  return lines.map((line) => parseRow(line));
};
