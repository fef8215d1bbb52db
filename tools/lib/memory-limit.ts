import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A control group with limited memory for its processes. */
export interface MemoryLimit extends Disposable {
  /** Command that runs another command in the group. */
  readonly wrapper: readonly string[];
}

const hierarchies = [
  { root: '/sys/fs/cgroup', file: 'memory.max' },
  // Version 1.
  { root: '/sys/fs/cgroup/memory', file: 'memory.limit_in_bytes' },
];

let groups = 0;

/** Limits the memory of a command started with the wrapper. Undefined if this machine allows no new control group. */
export const limitMemory = (megabytes: number): MemoryLimit | undefined => {
  groups += 1;
  for (const { root, file } of hierarchies) {
    const folder = join(root, `xen-exporter-${process.pid}-${groups}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    const remove = () => rmdirSync(folder);
    try {
      // Must exist: if version 1 is mounted, the root of version 2 is a plain folder.
      writeFileSync(join(folder, file), String(megabytes * 1e6), { flag: 'r+' });
    } catch {
      remove();
      continue;
    }
    return { wrapper: ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', folder], [Symbol.dispose]: remove };
  }
  return undefined;
};
