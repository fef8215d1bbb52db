import { parseCounter } from './integer.ts';
import { fileLines } from './output-lines.ts';
import { orSkip, ParseError, quote, refuse } from './parse-error.ts';

const parseValue = (text: string, name: string): number =>
  // Only Tcp.MaxConn is signed: constantly -1 (net/ipv4/proc.c, snmp_seq_show_tcp_udp).
  /^-\d/.test(text) ? -parseCounter(text.slice(1), name) : parseCounter(text, name);

const prefixOf = (line: string): string => /^\w+:/.exec(line)?.[0] ?? '';

/** Adds the counters of a pair of lines. */
const addPair = (
  counters: Map<string, number>,
  [header, values]: readonly [string, string],
  skip: typeof refuse,
): void => {
  const [prefix, ...names] = header.trimEnd().split(' ') as [string, ...string[]];
  const [, ...columns] = values.trimEnd().split(' ');
  if (columns.length !== names.length) {
    throw new ParseError(`${names.length} values behind "${prefix}"`, String(columns.length));
  }
  names.forEach((name, column) => {
    const key = `${prefix.slice(0, -1)}.${name}`;
    const value = orSkip(skip, () => parseValue(columns[column]!, key));
    if (value !== undefined) counters.set(key, value);
  });
};

/**
 * Parses /proc/net/netstat and /proc/net/snmp (net/ipv4/proc.c): pairs of lines, `TcpExt: ListenOverflows ListenDrops
 * ...` and `TcpExt: 12 12 ...`. Keys are `TcpExt.ListenDrops`; the set varies with the kernel. All are counters (u64)
 * except a few gauges and constants of Ip and Tcp, such as `Tcp.CurrEstab`. Broken pairs and numbers go to `skip`.
 * Throws ParseError, also for a file without a pair.
 */
export const parseNetCounters = (text: string, skip = refuse): Map<string, number> => {
  const counters = new Map<string, number>();
  const lines = fileLines(text);
  if (lines.length === 0) throw new ParseError('a line "TcpExt: ..." or the like', quote(text));
  for (let index = 0; index < lines.length; index += 1) {
    const header = lines[index]!;
    const values = lines[index + 1] ?? '';
    const prefix = prefixOf(header);
    if (prefix === '') skip(new ParseError('a line "TcpExt: ..." or the like', quote(header)));
    else if (prefixOf(values) !== prefix) skip(new ParseError(`values behind "${prefix}"`, quote(values, 'nothing')));
    else {
      orSkip(skip, () => addPair(counters, [header, values], skip));
      index += 1;
    }
  }
  return counters;
};

/**
 * The connections that listeners got (Tcp PassiveOpens) in /proc/net/snmp: much cheaper than all of its counters.
 * Undefined if it lacks them.
 */
export const parsePassiveOpens = (text: string): number | undefined => {
  const [, names, values] = /^Tcp: (.*)\nTcp: (.*)$/m.exec(text) ?? [];
  const column = names?.split(' ').indexOf('PassiveOpens') ?? -1;
  const value = values?.split(' ')[column];
  return value === undefined ? undefined : parseCounter(value, 'Tcp.PassiveOpens');
};
