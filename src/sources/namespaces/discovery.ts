import { setImmediate } from 'node:timers/promises';
import { parseTcpInUse } from '../../formats/proc-net-sockstat.ts';
import { parseRealUid } from '../../formats/proc-pid-status.ts';
import { FileError, isForbidden, type FileTree } from '../../host/file-tree.ts';
import { inTurns, userOf } from '../fair-share.ts';
import { isOfFile, parsed } from '../parsed.ts';

/** Which network namespace it is. */
export interface NamespaceIdentity {
  /**
   * The same for as long as it lives: its inode number as `lsns` shows it; `proc:` and the inode number of its
   * /proc/PID/net/netstat where /proc/PID/ns may not be read.
   */
  readonly id: string;
  /** The inode number of /proc/PID/ns/net; undefined where we may not know it. */
  readonly inode: number | undefined;
}

/** A network namespace, as the processes in it show it. */
export interface FoundNamespace extends NamespaceIdentity {
  /** Processes in it, as procfs lists them: lower PIDs first. */
  readonly pids: string[];
}

// Others get their turn of the event loop between so many processes.
const processesPerTurn = 200;

const inodeOf = (link: string | undefined): number | undefined => {
  const [, inode] = /^net:\[(\d+)\]$/.exec(link ?? '') ?? [];
  return inode === undefined ? undefined : Number(inode);
};

/**
 * The network namespace that a process is in. Each namespace has files of its own below /proc/PID/net, whose inode
 * numbers are no secret, unlike the link in /proc/PID/ns (CAP_SYS_PTRACE, or a process of our own). Undefined where the
 * process has gone.
 */
export const namespaceOf = (procfs: FileTree, pid: string): NamespaceIdentity | undefined => {
  try {
    const inode = inodeOf(procfs.linkIfAny(`${pid}/ns/net`));
    return inode === undefined ? undefined : { id: String(inode), inode };
  } catch (error) {
    return isForbidden(error) ? hiddenNamespaceOf(procfs, pid) : undefinedIfUnreadable(error);
  }
};

const hiddenNamespaceOf = (procfs: FileTree, pid: string): NamespaceIdentity | undefined => {
  try {
    return { id: `proc:${procfs.inode(`${pid}/net/netstat`)}`, inode: undefined };
  } catch (error) {
    return undefinedIfUnreadable(error);
  }
};

/**
 * A process may go at any moment, and a file of its then fails in many ways: ENOENT, ESRCH, EINVAL. One that is broken
 * costs no other process.
 */
const undefinedIfUnreadable = (error: unknown): undefined => {
  if (!(error instanceof FileError || isOfFile(error))) throw error;
  return undefined;
};

/** All network namespaces in which there is a process that we can see, but our own. */
export const findNamespaces = async (procfs: FileTree): Promise<FoundNamespace[]> => {
  const found = new Map<string, FoundNamespace>();
  let sinceTurn = 0;
  for (const pid of procfs.unsorted('')) {
    if (!/^\d/.test(pid)) continue;
    const namespace = namespaceOf(procfs, pid);
    if (namespace) {
      const known = found.get(namespace.id);
      if (known) known.pids.push(pid);
      else found.set(namespace.id, { ...namespace, pids: [pid] });
    }
    if ((sinceTurn += 1) % processesPerTurn === 0) await setImmediate();
  }
  // Ours, and those of which other processes showed more, are known by both of their numbers.
  const own = namespaceOf(procfs, 'self');
  if (own) found.delete(own.id);
  const shown = [...found.values()].filter(({ inode }) => inode !== undefined).map(({ pids }) => pids[0]!);
  if (shown.length < found.size) {
    for (const pid of ['self', ...shown]) {
      const hidden = hiddenNamespaceOf(procfs, pid);
      if (hidden) found.delete(hidden.id);
    }
  }
  return [...found.values()];
};

/** TCP sockets in a namespace; none where its process has gone. */
const countSockets = (procfs: FileTree, pid: string): number => {
  try {
    return ['sockstat', 'sockstat6']
      .filter((file) => procfs.exists(`${pid}/net/${file}`))
      .map((file) => parsed(procfs, `${pid}/net/${file}`, parseTcpInUse))
      .reduce((sum, sockets) => sum + sockets, 0);
  } catch (error) {
    return undefinedIfUnreadable(error) ?? 0;
  }
};

const userNamespaceOf = (procfs: FileTree, pid: string): string | undefined => {
  try {
    return procfs.linkIfAny(`${pid}/ns/user`);
  } catch (error) {
    return isForbidden(error) ? 'hidden' : undefinedIfUnreadable(error);
  }
};

/**
 * The tenant that owns a namespace. All namespaces that one user can make have the same one, and share its part.
 * Without privilege a user makes any number, but only in user namespaces of that user. Those in ours are made by root,
 * as most containers are, and each counts for itself.
 */
export const tenantOf = (procfs: FileTree, { id, pids }: FoundNamespace): string => {
  const [pid] = pids as [string];
  const userNamespace = userNamespaceOf(procfs, pid);
  if (userNamespace !== 'hidden' && userNamespace === userNamespaceOf(procfs, 'self')) return `netns ${id}`;
  try {
    return `user ${userOf(parsed(procfs, `${pid}/status`, parseRealUid))}`;
  } catch (error) {
    return undefinedIfUnreadable(error) ?? 'gone';
  }
};

/**
 * The namespaces that are to be read before others, with a fair share for each tenant: those that `isRead` says are
 * read already, so that series stay, then the others by the number of their TCP sockets, few first. `empty` are those
 * that have none: nobody listens there.
 */
export const fairOrder = async (
  procfs: FileTree,
  found: readonly FoundNamespace[],
  isRead: (namespace: FoundNamespace) => boolean,
): Promise<{ inUse: FoundNamespace[]; empty: FoundNamespace[] }> => {
  const ranked: { namespace: FoundNamespace; tenant: string; sockets: number; rank: number }[] = [];
  for (const namespace of found) {
    const sockets = countSockets(procfs, namespace.pids[0]!);
    ranked.push({ namespace, tenant: tenantOf(procfs, namespace), sockets, rank: isRead(namespace) ? 0 : 1 });
    await setImmediate();
  }
  ranked.sort((a, b) => a.rank - b.rank || a.sockets - b.sockets);
  const { inUse = [], empty = [] } = Object.groupBy(ranked, ({ sockets }) => (sockets > 0 ? 'inUse' : 'empty'));
  return {
    inUse: inTurns(inUse, [({ tenant }) => tenant]).map(({ namespace }) => namespace),
    empty: empty.map(({ namespace }) => namespace),
  };
};
