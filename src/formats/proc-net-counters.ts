import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

const parseValue = (text: string, name: string): number =>
  // Tcp.MaxConn is -1 and stays so: the only signed one (net/ipv4/proc.c, snmp_seq_show_tcp_udp).
  text.startsWith('-') ? -parseCounter(text.slice(1), name) : parseCounter(text, name);

/**
 * /proc/net/netstat and /proc/net/snmp (net/ipv4/proc.c): pairs of lines, `TcpExt: ListenOverflows ListenDrops ...` and
 * `TcpExt: 12 12 ...`. Keys are `TcpExt.ListenDrops`; which ones there are varies with the kernel. All are counters (u64) but for the few
 * gauges and constants of Ip and Tcp, such as `Tcp.CurrEstab`. Throws ParseError, also for a file without a pair.
 */
export const parseNetCounters = (text: string): Map<string, number> => {
  const counters = new Map<string, number>();
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new ParseError('a line "TcpExt: ..." or the like', quote(text));
  for (let index = 0; index < lines.length; index += 2) {
    const header = lines[index]!;
    const [prefix = '', ...names] = header.trimEnd().split(' ');
    if (!/^\w+:$/.test(prefix))
      throw new ParseError('a line "TcpExt: ..." or the like', quote(header, 'an empty line'));
    const line = lines[index + 1] ?? '';
    const [valuesPrefix, ...values] = line.trimEnd().split(' ');
    if (valuesPrefix !== prefix) throw new ParseError(`values behind "${prefix}"`, quote(line, 'nothing'));
    if (values.length !== names.length) {
      throw new ParseError(`${names.length} values behind "${prefix}"`, String(values.length));
    }
    names.forEach((name, column) => {
      const key = `${prefix.slice(0, -1)}.${name}`;
      counters.set(key, parseValue(values[column]!, key));
    });
  }
  return counters;
};
