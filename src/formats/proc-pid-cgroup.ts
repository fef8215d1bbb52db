import { fileLines } from './output-lines.ts';
import { ParseError, quote, readRows, refuse } from './parse-error.ts';

/**
 * Folders of the cgroups that a process is in, one for each hierarchy, from the root of the reader's cgroup namespace: `/` or
 * `/system.slice/nginx.service`; may begin with `/../`. /proc/PID/cgroup (kernel/cgroup/cgroup.c, proc_cgroup_show) has a line `0::/path`
 * for each, with the controllers of the hierarchy between the colons before cgroup version 2. Broken lines go to `skip`. Throws ParseError.
 */
export const parsePidCgroup = (text: string, skip = refuse): string[] => {
  const parseLine = (line: string): string => {
    const [, path] = /^\d+:[^:]*:(\/.*)$/.exec(line) ?? [];
    if (path === undefined) throw new ParseError('a line "0::/..."', quote(line));
    return path;
  };
  return readRows(fileLines(text), parseLine, skip);
};
