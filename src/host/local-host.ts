import { realpathSync } from 'node:fs';
import { systemClock } from './clock.ts';
import { findProgram, localCommands } from './commands.ts';
import { FileTree } from './file-tree.ts';
import type { Host } from './host.ts';
import { KeptFiles } from './open-file-cache.ts';
import { noNetlink, openNetlink, type Netlink } from './netlink.ts';
import { readMaxDescriptors } from './own-process.ts';
import { localTracefs } from './tracefs.ts';

/** Where the running kernel shows itself. */
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

/** Half of what this process may have open: connections and commands need some as well. */
const mostKeptFiles = (): number => Math.min(20_000, (readMaxDescriptors() ?? Infinity) / 2);

/** Version of the running Xen, such as `4.17`; undefined where there is none. */
const xenVersion = (sysfs: FileTree): string | undefined => {
  const [major, minor] = ['major', 'minor'].map((part) => sysfs.textIfAny(`hypervisor/version/${part}`)?.trim());
  return major && minor && `${major}.${minor}`;
};

/**
 * This machine, or a copy of another one's files where the paths point elsewhere. `programs` names programs to use instead of those that are
 * found; beside a copy, only these are used, for the others would speak of this machine. `observeCommand` is told how long each process ran.
 */
export const localHost = async ({
  procfs,
  sysfs,
  debugfs,
  tracefs,
  rrdMetrics = '/dev/shm/metrics',
  programs = {},
  observeCommand,
}: {
  procfs: string;
  sysfs: string;
  debugfs?: string | undefined;
  tracefs?: string | undefined;
  rrdMetrics?: string | undefined;
  programs?: Readonly<Record<string, string | undefined>>;
  observeCommand?: (name: string, seconds: number) => void;
}): Promise<Host> => {
  const isLive = isLivePath(procfs);
  const kept = new KeptFiles(mostKeptFiles());
  const tree = (root: string): FileTree => new FileTree(root, kept);
  const sysfsTree = tree(sysfs);
  return {
    procfs: tree(procfs),
    sysfs: sysfsTree,
    debugfs: tree(debugfs ?? sysfsTree.path('kernel/debug')),
    rrdMetrics: tree(rrdMetrics),
    tracefs: localTracefs(tracefs ?? sysfsTree.path('kernel/tracing')),
    netlink: await netlinkOf(isLive, procfs),
    commands: localCommands({
      find: (name) => programs[name] ?? (isLive ? findProgram(name, xenVersion(sysfsTree)) : undefined),
      ...(observeCommand && { observe: observeCommand }),
    }),
    clock: systemClock,
  };
};
