import { ParseError, quote } from './parse-error.ts';

/** Identity of a process or kernel thread. */
export interface ProcPidStat {
  /** Cut to 15 characters, except for kernel threads since Linux 5.17. */
  readonly comm: string;
  /** 2 (kthreadd) for kernel threads. */
  readonly parentPid: number;
}

/**
 * Parses the head of /proc/PID/stat (fs/proc/array.c, do_task_stat). comm is in parentheses and may contain any
 * character. Throws ParseError.
 */
export const parsePidStat = (text: string): ProcPidStat => {
  const [, comm, parentPid] = /^\d+ \(([^]*)\) \S (\d+) /.exec(text) ?? [];
  if (comm === undefined) throw new ParseError('a line "PID (comm) state ppid ..."', quote(text));
  return { comm, parentPid: Number(parentPid) };
};

/** Identifies a process among all since boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in USER_HZ ticks since boot. */
  readonly startTicks: number;
}

/** Parses fields 1 and 22 of /proc/PID/stat. Throws ParseError. */
export const parseProcessIdentity = (text: string): ProcessIdentity => {
  const [, pid, startTicks] = /^(\d+) \([^]*\) \S (?:-?\d+ ){18}(\d+) /.exec(text) ?? [];
  if (pid === undefined) throw new ParseError('a line "PID (comm) state ppid ..." with a start time', quote(text));
  return { pid: Number(pid), startTicks: Number(startTicks) };
};
