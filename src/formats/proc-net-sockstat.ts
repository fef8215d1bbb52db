import { ParseError, quote } from './parse-error.ts';

/**
 * TCP sockets in use in a network namespace, including listeners: /proc/net/sockstat, or sockstat6 (net/ipv4/proc.c).
 * Throws ParseError.
 */
export const parseTcpInUse = (text: string): number => {
  const [, inUse] = /^TCP6?: inuse (\d+)/m.exec(text) ?? [];
  if (inUse === undefined) throw new ParseError('a line "TCP: inuse ..."', quote(text));
  return Number(inUse);
};
