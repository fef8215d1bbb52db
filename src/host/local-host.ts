import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from './clock.ts';
import { findProgram, localCommands, programIn, searchedBesideCopy, searchedWith } from './commands.ts';
import { FileTree } from './file-tree.ts';
import type { Host } from './host.ts';
import { OpenFileCache } from './open-file-cache.ts';
import { noNetlink, openNetlink, type Netlink } from './netlink.ts';
import { readMaxDescriptors } from './own-process.ts';
import { localTracefs } from './tracefs.ts';

/** Paths of the running kernel's files. */
export const livePaths = { procfs: '/proc', sysfs: '/sys' } as const;

const isLivePath = (procfs: string): boolean => {
  try {
    return realpathSync(procfs) === livePaths.procfs;
  } catch {
    return false;
  }
};

const netlinkOf = async (isLive: boolean, procfs: string): Promise<Netlink> => {
  if (!isLive) return noNetlink(`${procfs} is not this kernel's own /proc`);
  try {
    return await openNetlink();
  } catch (error) {
    return noNetlink((error as Error).message);
  }
};

/** Path of tracefs. Default: kernel/tracing below sysfs. */
export const tracefsAt = (sysfs: string, tracefs?: string): string => tracefs ?? join(sysfs, 'kernel/tracing');

/** Half of this process's descriptor limit: connections and commands need some too. */
const maxCachedFiles = (): number => Math.min(20_000, (readMaxDescriptors() ?? Infinity) / 2);

/** Version of the running Xen, such as `4.17`; undefined without Xen. */
const xenVersion = (sysfs: FileTree): string | undefined => {
  const [major, minor] = ['major', 'minor'].map((part) => sysfs.textIfAny(`hypervisor/version/${part}`)?.trim());
  return major && minor && `${major}.${minor}`;
};

/**
 * This machine, or a copy of another machine's files if the paths differ. `tools` are folders that are searched first
 * for programs. With a copy only these count, because all other programs report this machine. `observeCommand` receives
 * each process's duration in seconds.
 */
export const localHost = async ({
  procfs,
  sysfs,
  debugfs,
  tracefs,
  rrdMetrics = '/dev/shm/metrics',
  tools = [],
  observeCommand,
}: {
  procfs: string;
  sysfs: string;
  debugfs?: string | undefined;
  tracefs?: string | undefined;
  rrdMetrics?: string | undefined;
  tools?: readonly string[];
  observeCommand?: (name: string, seconds: number) => void;
}): Promise<Host> => {
  const isLive = isLivePath(procfs);
  const kept = new OpenFileCache(maxCachedFiles());
  const tree = (root: string): FileTree => new FileTree(root, kept);
  const sysfsTree = tree(sysfs);
  return {
    procfs: tree(procfs),
    sysfs: sysfsTree,
    debugfs: tree(debugfs ?? sysfsTree.path('kernel/debug')),
    rrdMetrics: tree(rrdMetrics),
    tracefs: localTracefs(tracefsAt(sysfs, tracefs)),
    netlink: await netlinkOf(isLive, procfs),
    commands: localCommands({
      find: (name) => programIn(tools, name) ?? (isLive ? findProgram(name, xenVersion(sysfsTree)) : undefined),
      searched: isLive ? searchedWith(tools) : searchedBesideCopy(tools),
      ...(observeCommand && { observe: observeCommand }),
    }),
    clock: systemClock,
  };
};
