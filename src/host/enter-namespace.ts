import { closeSync, fstatSync, openSync } from 'node:fs';
import { NamespaceRefused, NetlinkUnavailable } from './netlink-error.ts';

/** Enters other network namespaces and returns. */
export interface NamespaceEntry {
  /**
   * Runs `act` in the network namespace of `file` if it has this inode number, then returns home. `act` must be
   * synchronous: only this thread switches, and any other code on it would run there too. A socket opened there stays
   * there. Throws NamespaceRefused without the privilege, NetlinkUnavailable if the namespace does not exist (any
   * more), and errors of `act`.
   */
  inside<Result>(file: string, inode: number, act: () => Result): Result;
  close(): void;
}

interface Calls {
  setns(file: number, kind: number): number;
  errno(): number;
  errorName(errno: number): string;
}

const CLONE_NEWNET = 0x40000000;
const refusals = ['EPERM', 'EACCES'];

const failure = (doing: string, code: string): NetlinkUnavailable =>
  new (refusals.includes(code) ? NamespaceRefused : NetlinkUnavailable)(`${doing}: ${code}`);

/** Opens the entry from this thread's network namespace. */
export const openNamespaceEntry = (libc: Calls): NamespaceEntry => {
  const home = openSync('/proc/thread-self/ns/net', 'r');

  const go = (file: number, name: string): void => {
    if (libc.setns(file, CLONE_NEWNET) !== 0) throw failure(`setns ${name}`, libc.errorName(libc.errno()));
  };

  const open = (file: string): number => {
    try {
      return openSync(file, 'r');
    } catch (error) {
      throw failure(`open ${file}`, (error as NodeJS.ErrnoException).code ?? 'EIO');
    }
  };

  return {
    inside: (file, inode, act) => {
      const target = open(file);
      try {
        const found = fstatSync(target).ino;
        if (found !== inode)
          throw new NetlinkUnavailable(`${file}: expected network namespace ${inode}, found ${found}`);
        // Returning home needs a privilege in home's user namespace. Do not leave without it.
        go(home, 'to our own network namespace');
        go(target, file);
        try {
          return act();
        } finally {
          // Stuck in the wrong namespace: all later readings would be of that namespace.
          if (libc.setns(home, CLONE_NEWNET) !== 0) process.abort();
        }
      } finally {
        closeSync(target);
      }
    },
    close: () => closeSync(home),
  };
};
