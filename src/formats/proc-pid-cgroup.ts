import { ParseError, quote } from './parse-error.ts';

/** The cgroup that a process is in, in one hierarchy. */
export interface ProcPidCgroup {
  /** Controllers of the hierarchy as they are written, `name=systemd` or `cpu,cpuacct`; empty for cgroup version 2. */
  readonly controllers: string;
  /** Path of its folder, from the root of the reader's cgroup namespace: `/` or `/system.slice/nginx.service`. May begin with `/../`. */
  readonly path: string;
}

/** /proc/PID/cgroup (kernel/cgroup/cgroup.c, proc_cgroup_show): a line `0::/path` for each hierarchy. Throws ParseError. */
export const parsePidCgroup = (text: string): ProcPidCgroup[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) {
      throw new ParseError('a line "0::/..."', quote(line, 'an empty line'));
    }
    return { controllers, path };
  });
};
