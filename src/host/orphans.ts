import { readdirSync, readFileSync, statSync } from 'node:fs';

/** A program that outlived its exporter. */
export interface Orphan {
  readonly pid: number;
  readonly program: string;
}

// Identifies the exporter by its start time: pids are reused and differ between PID namespaces.
const ownerVariable = 'XEN_EXPORTER_OWNER';

/** Start time of a process in ticks since boot (fs/proc/array.c, do_task_stat); undefined for a zombie. */
const startOf = (pid: string): string | undefined => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? undefined : fields[18];
};

/** Owner in the environment of a process of this user. */
const ownerOf = (pid: string): string | undefined => {
  if (statSync(`/proc/${pid}`).uid !== process.geteuid!()) return undefined;
  const entry = readFileSync(`/proc/${pid}/environ`, 'latin1')
    .split('\0')
    .find((each) => each.startsWith(`${ownerVariable}=`));
  return entry?.slice(ownerVariable.length + 1);
};

/** The result of `look`; undefined if the process has ended or access is denied. */
const ifPossible = <Result>(look: () => Result): Result | undefined => {
  try {
    return look();
  } catch {
    return undefined;
  }
};

/** Marks the environment of programs that this process starts. */
export const ownerEnvironment = (): Readonly<Record<string, string>> => {
  const start = ifPossible(() => startOf('self'));
  return start === undefined ? {} : { [ownerVariable]: start };
};

/**
 * Asks programs of dead exporters to end, such as one that hung when its exporter was killed. SIGTERM makes xentrace
 * turn tracing off. Returns those programs. Programs of live exporters are kept in any PID namespace.
 */
export const endOrphans = (): Orphan[] => {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const owners = new Map(pids.map((pid) => [pid, ifPossible(() => ownerOf(pid))]));
  const alive = new Set(pids.map((pid) => ifPossible(() => startOf(pid))));
  const orphans = pids.filter((pid) => owners.get(pid) !== undefined && !alive.has(owners.get(pid)));
  return orphans.flatMap(
    (pid) =>
      ifPossible(() => {
        const program = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        process.kill(Number(pid), 'SIGTERM');
        return { pid: Number(pid), program };
      }) ?? [],
  );
};
