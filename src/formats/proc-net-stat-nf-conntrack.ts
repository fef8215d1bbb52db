import { fileLines } from './output-lines.ts';
import { orSkip, ParseError, quote, refuse } from './parse-error.ts';

/** Connection-tracking failures on one CPU. The counters are u32 and wrap. */
export interface ConntrackCpu {
  /** Packets dropped because their connection could not be tracked: full table or lack of memory. Counter. */
  drops: number;
  /** Connections removed to make room in a full table. Counter. */
  earlyDrops: number;
  /** Connections not added because an equal one existed. Their packets are dropped. Counter. */
  insertFailed: number;
}

/**
 * Parses /proc/net/stat/nf_conntrack (net/netfilter/nf_conntrack_standalone.c, ct_cpu_seq_show): a line of names, then
 * a line of hex numbers per possible CPU. The names depend on the kernel. An unreadable row is undefined, and its error
 * goes to `skip`. Throws ParseError.
 */
export const parseConntrackStat = (text: string, skip = refuse): (ConntrackCpu | undefined)[] => {
  const [heading = '', ...rows] = fileLines(text);
  const names = heading.trim().split(/ +/);
  const column = (name: string): number => {
    const index = names.indexOf(name);
    if (index === -1) throw new ParseError(`a column ${name}`, quote(heading, 'nothing'));
    return index;
  };
  const [drop, earlyDrop, insertFailed] = [column('drop'), column('early_drop'), column('insert_failed')];
  if (rows.length === 0) throw new ParseError('a line of hex numbers per CPU', 'nothing');
  const parseRow = (row: string): ConntrackCpu => {
    const cells = row.trim().split(/ +/);
    if (cells.length !== names.length || !cells.every((cell) => /^[0-9a-f]{8}$/.test(cell))) {
      throw new ParseError(`${names.length} numbers of eight hex digits`, quote(row));
    }
    const values = cells.map((cell) => Number.parseInt(cell, 16));
    return { drops: values[drop]!, earlyDrops: values[earlyDrop]!, insertFailed: values[insertFailed]! };
  };
  return rows.map((row) => orSkip(skip, () => parseRow(row)));
};
