import type { Clock } from './clock.ts';
import type { Commands } from './commands.ts';
import type { FileTree } from './file-tree.ts';
import type { Netlink } from './netlink.ts';
import type { Tracefs } from './tracefs.ts';

/** The machine as the product sees it. Collectors use nothing else, so tests can use a copy of a machine's files. */
export interface Host {
  /** Kernel files as procfs(5) shows them. */
  readonly procfs: FileTree;
  /** Kernel files as sysfs(5) shows them. */
  readonly sysfs: FileTree;
  /** Kernel files of debugfs, which only root may read. */
  readonly debugfs: FileTree;
  /** Output of xcp-rrdd's plugins on XCP-ng and XenServer. */
  readonly rrdMetrics: FileTree;
  readonly tracefs: Tracefs;
  readonly netlink: Netlink;
  readonly commands: Commands;
  readonly clock: Clock;
}

/** Work refused because its deadline has passed. */
class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/** The same host. After `deadline` (monotonic seconds) its files and netlink throw DeadlineExceeded. */
export const withDeadline = (host: Host, deadline: number): Host => {
  const check = (doing: string, what: string): void => {
    if (host.clock.monotonicSeconds() > deadline)
      throw new DeadlineExceeded(`deadline exceeded before ${doing} ${what}`);
  };
  const beforeEach = (path: string): void => check('reading', path);
  return {
    ...host,
    procfs: host.procfs.with(beforeEach),
    sysfs: host.sysfs.with(beforeEach),
    debugfs: host.debugfs.with(beforeEach),
    rrdMetrics: host.rrdMetrics.with(beforeEach),
    netlink: {
      exchange: (protocol, request, keep) => {
        check('netlink', protocol);
        return host.netlink.exchange(protocol, request, keep);
      },
      exchangeIn: (namespace, request, keep) => {
        check('netlink', 'in another network namespace');
        return host.netlink.exchangeIn(namespace, request, keep);
      },
      enter: (file, inode) => host.netlink.enter(file, inode),
      close: () => host.netlink.close(),
    },
  };
};
