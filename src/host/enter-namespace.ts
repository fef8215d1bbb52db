import { closeSync, fstatSync, openSync } from 'node:fs';
import { NamespaceRefused, NetlinkUnavailable } from './netlink-error.ts';

/** The way into other network namespaces, and back. */
export interface NamespaceEntry {
  /**
   * Does `act` in the network namespace that `file` shows, if that is the one with this inode number, and comes back. `act` must be synchronous:
   * only this thread goes, and whatever else runs on it meanwhile would be there too. A socket that it opens stays there for good. Throws
   * NamespaceRefused where we may not, NetlinkUnavailable where there is no such namespace (any more), and what `act` throws.
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

/** Opens the door from the network namespace that this thread is in. */
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
        // To go home takes a privilege in the user namespace that home belongs to: who lacks it must not leave.
        go(home, 'to our own network namespace');
        go(target, file);
        try {
          return act();
        } finally {
          // All that this process says from here on would be of another namespace.
          if (libc.setns(home, CLONE_NEWNET) !== 0) process.abort();
        }
      } finally {
        closeSync(target);
      }
    },
    close: () => closeSync(home),
  };
};
