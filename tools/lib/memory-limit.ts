import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A control group whose processes together get a limited amount of memory. */
export interface MemoryLimit extends Disposable {
  /** Runs the command behind it in the group. */
  readonly wrapper: readonly string[];
}

const hierarchies = [
  { root: '/sys/fs/cgroup', file: 'memory.max' },
  // Version 1.
  { root: '/sys/fs/cgroup/memory', file: 'memory.limit_in_bytes' },
];

let groups = 0;

/** Limits the memory of a command that is started by the wrapper; undefined if this machine lets us make no control group. */
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
      // Not a new file: where version 1 is mounted, the root of version 2 is a plain folder.
      writeFileSync(join(folder, file), String(megabytes * 1e6), { flag: 'r+' });
    } catch {
      remove();
      continue;
    }
    return { wrapper: ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', folder], [Symbol.dispose]: remove };
  }
  return undefined;
};
