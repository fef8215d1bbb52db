import { realpathSync } from 'node:fs';
import { systemClock } from './clock.ts';
import { findOnPath, localCommands } from './commands.ts';
import { FileTree } from './file-tree.ts';
import type { Host } from './host.ts';
import { noNetlink, openNetlink, type Netlink } from './netlink.ts';

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

/**
 * This machine, or a copy of another one's files where the paths point elsewhere. `programs` names programs to use instead of those on the
 * PATH; beside a copy, only these are used, for the others would speak of this machine.
 */
export const localHost = async ({
  procfs,
  sysfs,
  programs = {},
}: {
  procfs: string;
  sysfs: string;
  programs?: Readonly<Record<string, string | undefined>>;
}): Promise<Host> => {
  const isLive = isLivePath(procfs);
  return {
    procfs: new FileTree(procfs),
    sysfs: new FileTree(sysfs),
    netlink: await netlinkOf(isLive, procfs),
    commands: localCommands((name) => programs[name] ?? (isLive ? findOnPath(name) : undefined)),
    clock: systemClock,
  };
};
