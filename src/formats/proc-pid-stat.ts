import { ParseError, quote } from './parse-error.ts';

/** Who a process or kernel thread is. */
export interface ProcPidStat {
  /** Cut to 15 characters for processes, and before Linux 5.17 for kernel threads as well. */
  readonly comm: string;
  /** 2 for kernel threads: kthreadd. */
  readonly parentPid: number;
}

/** The head of /proc/PID/stat (fs/proc/array.c, do_task_stat). comm is in parentheses and may hold any character. Throws ParseError. */
export const parsePidStat = (text: string): ProcPidStat => {
  const [, comm, parentPid] = /^\d+ \(([^]*)\) \S (\d+) /.exec(text) ?? [];
  if (comm === undefined) throw new ParseError('a line "PID (comm) state ppid ..."', quote(text));
  return { comm, parentPid: Number(parentPid) };
};
