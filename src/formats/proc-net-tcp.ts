import { formatIpv4, formatIpv6, type IpFamily } from './ip-address.ts';
import type { ListenerSocket } from './listener-socket.ts';
import { orSkip, ParseError, quote, refuse } from './parse-error.ts';

const LISTEN = '0A';
const SYN_RECV = '03';
const stateColumn = 3;
const uidColumn = 7;
const inodeColumn = 9;
const addressDigits = { ipv4: 8, ipv6: 32 };

/** Lines that end with a newline: a chunk of the file may end within a line. */
function* completeLines(text: string): Generator<string> {
  for (let start = 0, end = text.indexOf('\n'); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
    yield text.slice(start, end);
  }
}

const columnsOf = (row: string): string[] => row.trim().split(/ +/);
const isState = (text: string | undefined): text is string => text !== undefined && /^[0-9A-F]{2}$/.test(text);

/**
 * The kernel prints memory words with %08X, so on x86 and Arm, Xen's platforms, the bytes of each word are reversed.
 */
const addressBytes = (hex: string): Uint8Array => {
  const bytes = new Uint8Array(hex.length / 2);
  for (let word = 0; word < bytes.length; word += 4) {
    for (let byte = 0; byte < 4; byte += 1) {
      const digit = (word + 3 - byte) * 2;
      bytes[word + byte] = Number.parseInt(hex.slice(digit, digit + 2), 16);
    }
  }
  return bytes;
};

const parseRow = (row: string, columns: string[], family: IpFamily): ListenerSocket => {
  const local = /^([0-9A-F]+):([0-9A-F]{4})$/.exec(columns[1]!);
  const queues = /^[0-9A-F]{8}:([0-9A-F]{8})$/.exec(columns[4] ?? '');
  const inode = columns[inodeColumn] ?? '';
  const [id, uid] = [inode, columns[uidColumn] ?? ''].map((text) => (/^\d+$/.test(text) ? Number(text) : NaN));
  if (
    local?.[1]?.length !== addressDigits[family] ||
    queues === null ||
    !Number.isSafeInteger(id) ||
    !Number.isSafeInteger(uid)
  ) {
    throw new ParseError(`a row of a listening ${family} socket`, quote(row));
  }
  const bytes = addressBytes(local[1]);
  return {
    family,
    address: family === 'ipv4' ? formatIpv4(bytes) : formatIpv6(bytes),
    port: Number.parseInt(local[2]!, 16),
    queueLength: Number.parseInt(queues[1]!, 16),
    id: id!,
    uid: uid!,
  };
};

/**
 * Parses the listeners of /proc/net/tcp or tcp6 (net/ipv4/tcp_ipv4.c, get_tcp4_sock; net/ipv6/tcp_ipv6.c,
 * get_tcp6_sock), or of its beginning. Listeners come first (before Linux 4.4 mixed with half-open connections), so
 * parsing ends at the first other row. A last line without newline is left for the next chunk. rx_queue is the accept
 * queue's length, tx_queue is always 0, and neither limit nor drops are printed. Broken rows go to `skip`. Throws
 * ParseError.
 */
export const parseProcNetTcp = (text: string, family: IpFamily, skip = refuse): ListenerSocket[] => {
  const listeners: ListenerSocket[] = [];
  let isHeading = true;
  for (const line of completeLines(text)) {
    const columns = columnsOf(line);
    if (isHeading) {
      if (columns[0] !== 'sl' || columns[1] !== 'local_address') break;
      isHeading = false;
      continue;
    }
    if (line.trim() === '') continue;
    const state = columns[stateColumn];
    if (!isState(state)) skip(new ParseError('a row of a socket', quote(line)));
    else if (state === LISTEN) {
      const listener = orSkip(skip, () => parseRow(line, columns, family));
      if (listener) listeners.push(listener);
    } else if (state !== SYN_RECV) return listeners;
  }
  if (isHeading) throw new ParseError('a line "sl local_address ..."', quote(text));
  return listeners;
};

/**
 * Whether this beginning of /proc/net/tcp or tcp6 contains all listeners: it has a complete row of another kind.
 * `isMixed`: half-open connections are mixed in, as before Linux 4.4.
 */
export const hasAllListeners = (text: string, isMixed: boolean): boolean => {
  const kinds = isMixed ? [LISTEN, SYN_RECV] : [LISTEN];
  let isHeading = true;
  for (const line of completeLines(text)) {
    const state = columnsOf(line)[stateColumn];
    if (!isHeading && isState(state) && !kinds.includes(state)) return true;
    isHeading = false;
  }
  return false;
};
