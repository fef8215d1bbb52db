import { ParseError, quote } from './parse-error.ts';

/**
 * Folders of the cgroups that a process is in, one for each hierarchy, from the root of the reader's cgroup namespace: `/` or
 * `/system.slice/nginx.service`; may begin with `/../`. /proc/PID/cgroup (kernel/cgroup/cgroup.c, proc_cgroup_show) has a line `0::/path`
 * for each, with the controllers of the hierarchy between the colons before cgroup version 2. Throws ParseError.
 */
export const parsePidCgroup = (text: string): string[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => {
    const [, path] = /^\d+:[^:]*:(\/.*)$/.exec(line) ?? [];
    if (path === undefined) throw new ParseError('a line "0::/..."', quote(line, 'an empty line'));
    return path;
  });
};
