import { isIP } from 'node:net';
import { parseCounter } from './integer.ts';
import type { IpFamily } from './ip-address.ts';
import { ParseError, quote, readRows, refuse } from './parse-error.ts';

/** A listening TCP socket in `ss`. For meanings see ListenerSocket. */
export interface SsListener {
  family: IpFamily;
  address: string;
  port: number;
  /** Recv-Q. */
  queueLength: number;
  /**
   * Send-Q. Absent if ss reads /proc/net/tcp because the kernel lacks sock_diag: that file has no limits, and ss prints
   * 0.
   */
  queueLimit?: number;
  /** `d` of skmem; absent without -m and before Linux 4.7. */
  drops?: number;
  /** `ino` of -e. */
  inode?: number;
  /** `sk` of -e. */
  cookie?: number;
}

const maxPort = 0xffff;

/**
 * Parses `0.0.0.0:22`, `[::]:22`, `127.0.0.1%lo:53`, `[fe80::1]%eth0:22`. `*:80` is an IPv6 socket that also accepts
 * IPv4, unless -e prints v6only; before iproute2 4.17 it is an IPv4 socket.
 */
const parseLocal = (text: string, details: readonly string[]): Pick<SsListener, 'family' | 'address' | 'port'> => {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, Math.max(colon, 0)).split('%', 1)[0]!;
  const has = (name: string): boolean => details.some((detail) => detail.startsWith(`${name}:`));
  const isOldIpv4 = has('ino') && !has('v6only');
  const anyAddress = isOldIpv4 ? '0.0.0.0' : '::';
  const address = host === '*' ? anyAddress : host.replace(/^\[|\]$/g, '');
  const version = isIP(address);
  const port = /^\d{1,5}$/.test(text.slice(colon + 1)) ? Number(text.slice(colon + 1)) : NaN;
  if (version === 0 || !(port <= maxPort)) throw new ParseError('a local address and port', quote(text));
  return { family: version === 4 ? 'ipv4' : 'ipv6', address, port };
};

const parseRow = (line: string, columns: string[]): SsListener => {
  const [state, receive, send, local, peer, ...details] = columns;
  if (state !== 'LISTEN' || receive === undefined || send === undefined || local === undefined || peer === undefined) {
    throw new ParseError('a line "LISTEN Recv-Q Send-Q Local Peer"', quote(line));
  }
  return {
    ...parseLocal(local, details),
    queueLength: parseCounter(receive, 'Recv-Q'),
    queueLimit: parseCounter(send, 'Send-Q'),
  };
};

/**
 * Adds the details of -e and -m to `listener`. The cgroup path may contain anything but a newline, even `ino:1` or
 * `skmem:(d1)`. So the first ino and sk count, which precede it, and the last skmem, which follows it.
 */
const addDetails = (listener: SsListener, details: readonly string[]): void => {
  for (const detail of details) {
    const [, name, value = ''] = /^(ino|sk|skmem):(.+)$/.exec(detail) ?? [];
    if (name === 'ino') listener.inode ??= parseCounter(value, 'ino');
    if (name === 'sk' && listener.cookie === undefined) {
      if (!/^[0-9a-f]{1,16}$/.test(value)) throw new ParseError('a hex number for sk', quote(value));
      listener.cookie = Number.parseInt(value, 16);
    }
    const drops = name === 'skmem' ? /,d(\d+)\)$/.exec(value)?.[1] : undefined;
    if (drops !== undefined) listener.drops = parseCounter(drops, 'd of skmem');
  }
};

/** A listener's row with the lines of details after it. */
const parseListener = (line: string, details: readonly string[]): SsListener => {
  const columns = line.trim().split(/[ \t]+/);
  const listener = parseRow(line, columns);
  addDetails(listener, columns.slice(5));
  for (const text of details) addDetails(listener, text.trim().split(/[ \t]+/));
  return listener;
};

/**
 * Parses the listeners of `ss -H -l -t -n -e -m` (ss(8); checked with iproute2 6.1): one line each, and -m's details on
 * a second line that begins with a tab (with -O on the same line). -e and -m may be absent, and a heading may come
 * first. Empty output means no listener. Broken rows go to `skip`. Throws ParseError.
 */
export const parseSs = (text: string, skip = refuse): SsListener[] => {
  const rows: { readonly line: string; readonly details: string[] }[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || (rows.length === 0 && /^State\s+Recv-Q\s/.test(line))) continue;
    if (!/^[ \t]/.test(line)) rows.push({ line, details: [] });
    else if (rows.length > 0) rows.at(-1)!.details.push(line);
    else skip(new ParseError('a line "LISTEN Recv-Q Send-Q Local Peer"', quote(line)));
  }
  const listeners = readRows(rows, ({ line, details }) => parseListener(line, details), skip);
  const isOfProc = listeners.every(({ queueLimit }) => queueLimit === 0) && !text.includes('skmem:(');
  return isOfProc ? listeners.map(({ queueLimit: _, ...listener }) => listener) : listeners;
};
