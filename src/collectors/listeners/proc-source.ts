import type { ListenAddress } from '../../formats/inet-diag-filter.ts';
import type { IpFamily } from '../../formats/ip-address.ts';
import type { ListenerSocket } from '../../formats/listener-socket.ts';
import { hasAllListeners, parseProcNetTcp } from '../../formats/proc-net-tcp.ts';
import { parseSs, type SsListener } from '../../formats/ss.ts';
import { unlessMissing, type FileTree } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import { BackgroundReading, readCommand, type Doubt } from '../../sources/background-reading.ts';
import { naming, readRowsOf, type Skips } from '../../sources/parsed.ts';
import { addressKey } from './address-key.ts';
import type { ListenerSource } from './source.ts';

const intervalSeconds = 5;
const timeoutSeconds = 4;
const maxBytes = 16 << 20;

/**
 * Whether half-open connections stand between the listeners: before Linux 4.4, and perhaps in a kernel that does not
 * tell its release.
 */
const isMixed = (procfs: FileTree): boolean => {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(procfs.textIfAny('sys/kernel/osrelease') ?? '') ?? [];
  return major === undefined || Number(major) < 4 || (Number(major) === 4 && Number(minor) < 4);
};

/**
 * The listeners of one table, read in chunks up to the first row of another kind: the rest is every connection of the
 * machine.
 */
const readTable = (
  procfs: FileTree,
  { file, family, mixed }: { file: string; family: IpFamily; mixed: boolean },
  skips: Skips,
): ListenerSocket[] => {
  const text = procfs.textUntil(file, (read) => hasAllListeners(read, mixed), mixed ? 64 << 10 : undefined);
  const path = procfs.path(file);
  // Reading has ended before the first row of another kind: all of the file is there, or should be.
  const isWhole = text.endsWith('\n') || hasAllListeners(text, mixed);
  if (!isWhole && text !== '') skips.skip(new Error(`${path}: expected a line end at the end of the file, found none`));
  return naming(path, () => readRowsOf(path, skips, (skip) => parseProcNetTcp(text, family, skip)));
};

/** Both tables; a kernel without IPv6 has no tcp6. */
const readTables = (procfs: FileTree, skips: Skips): ListenerSocket[] => {
  const mixed = isMixed(procfs);
  return [
    ...readTable(procfs, { file: 'net/tcp', family: 'ipv4', mixed }, skips),
    ...(unlessMissing(() => readTable(procfs, { file: 'net/tcp6', family: 'ipv6', mixed }, skips)) ?? []),
  ];
};

/**
 * Finds the row of ss for a socket, by inode. A row without an inode is found by its address, if no other row has that
 * address. A row with an inode is not, because a server that has restarted since may own the address now.
 */
const indexOf = (rows: readonly SsListener[]) => {
  const byInode = new Map(rows.map((row) => [row.inode, row]));
  const byAddress = new Map<string, SsListener | undefined>();
  for (const row of rows) {
    const key = addressKey(row);
    byAddress.set(key, byAddress.has(key) || row.inode !== undefined ? undefined : row);
  }
  return (socket: ListenerSocket): SsListener | undefined =>
    byInode.get(socket.id) ?? byAddress.get(addressKey(socket));
};

/** The rows of ss, which may be older than its option -H (no heading). */
const readSs = async ({ commands }: Host, file: string, doubt: Doubt): Promise<SsListener[]> => {
  const read = (args: readonly string[]) =>
    readCommand(commands, { name: 'ss', file, args, timeoutSeconds, maxBytes }, parseSs, doubt);
  try {
    return await read(['-H', '-ltnem']);
  } catch (error) {
    if (!/invalid option/.test((error as Error).message)) throw error;
    return read(['-ltnem']);
  }
};

/**
 * /proc/net/tcp and tcp6, which have no limits and no drops: these are added from `ss -H -ltnem`, run in the
 * background, where there is an ss. `why` says why it is not netlink. `isWanted`: which listeners to read; all if
 * absent.
 */
export const procSource = (
  host: Host,
  why: string,
  isWanted: (listener: ListenAddress) => boolean = () => true,
): ListenerSource => {
  const ss = host.commands.find('ss');
  const rows =
    ss === undefined
      ? undefined
      : new BackgroundReading({
          name: 'ss',
          every: { seconds: intervalSeconds },
          clock: host.clock,
          read: async (doubt) => indexOf(await readSs(host, ss, doubt)),
        });

  return {
    name: 'proc',
    limitations: `SYN queues and services${ss === undefined ? ', limits and drops (there is no ss)' : ''}: read from /proc, because ${why}`,
    read: ({ procfs }, skips) => {
      const lookUp = rows?.fresh;
      return readTables(procfs, skips)
        .filter(isWanted)
        .map((socket) => {
          const row = lookUp?.(socket);
          return {
            ...socket,
            ...(row?.queueLimit !== undefined && { queueLimit: row.queueLimit }),
            ...(row?.drops !== undefined && { drops: row.drops }),
          };
        });
    },
    ...(rows && { background: rows }),
  };
};
