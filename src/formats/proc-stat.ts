import { parseCounter } from './integer.ts';
import { fileLines } from './output-lines.ts';
import { orSkip, ParseError, quote, readRows, refuse, type Skip } from './parse-error.ts';

/**
 * Modes of CPU time in the column order of /proc/stat. Guest time also has its own columns, but the kernel already
 * counts it under user and nice.
 */
export const cpuModes = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;

/** One of cpuModes. */
export type CpuMode = (typeof cpuModes)[number];

/**
 * One online CPU: `cpu` is its number, `ticks` its time since boot in USER_HZ ticks (1/100 s). Counters, u64; undefined
 * values were skipped.
 */
export interface CpuTicks {
  cpu: string;
  ticks: Record<CpuMode, number | undefined>;
}

// user, nice, system and idle are older than Linux 2.6. iowait, irq, softirq (2.6.0) and steal (2.6.11) came later.
const oldestColumns = 4;

const parseRow = (line: string, skip: Skip): CpuTicks => {
  const [label = '', ...columns] = line.split(' ');
  if (!/^cpu\d+$/.test(label) || columns.length < oldestColumns) throw new ParseError('a line "cpuN ..."', quote(line));
  const ticks = (index: number): number | undefined => {
    const column = columns[index];
    return column === undefined ? 0 : orSkip(skip, () => parseCounter(column, `${label} ${cpuModes[index]}`));
  };
  return {
    cpu: label.slice('cpu'.length),
    ticks: {
      user: ticks(0),
      nice: ticks(1),
      system: ticks(2),
      idle: ticks(3),
      iowait: ticks(4),
      irq: ticks(5),
      softirq: ticks(6),
      steal: ticks(7),
    },
  };
};

/**
 * Parses the CPU rows of /proc/stat (fs/proc/stat.c, show_stat), without the sum over all CPUs. Broken rows and numbers
 * go to `skip`. Throws ParseError, also if there is no such row.
 */
export const parseProcStat = (text: string, skip = refuse): CpuTicks[] => {
  const rows = fileLines(text).filter((line) => line.startsWith('cpu') && !line.startsWith('cpu '));
  if (rows.length === 0) throw new ParseError('a line "cpuN ..."', quote(text));
  return readRows(rows, (line) => parseRow(line, skip), skip);
};
