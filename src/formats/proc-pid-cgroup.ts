import { fileLines } from './output-lines.ts';
import { ParseError, quote, readRows, refuse } from './parse-error.ts';

/**
 * Parses /proc/PID/cgroup (kernel/cgroup/cgroup.c, proc_cgroup_show): the process's cgroup folders, one per hierarchy,
 * from the root of the reader's cgroup namespace: `/` or `/system.slice/nginx.service`; may begin with `/../`. Each is
 * a line `0::/path`; cgroup version 1 has the controllers between the colons. Broken lines go to `skip`. Throws
 * ParseError.
 */
export const parsePidCgroup = (text: string, skip = refuse): string[] => {
  const parseLine = (line: string): string => {
    const [, path] = /^\d+:[^:]*:(\/.*)$/.exec(line) ?? [];
    if (path === undefined) throw new ParseError('a line "0::/..."', quote(line));
    return path;
  };
  return readRows(fileLines(text), parseLine, skip);
};
