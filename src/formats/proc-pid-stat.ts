import { ParseError, quote } from './parse-error.ts';

/** Identity of a process or kernel thread. */
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

/** Which process it was, of all since the machine was booted. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it began, in USER_HZ ticks since the boot. */
  readonly startTicks: number;
}

/** Fields 1 and 22 of /proc/PID/stat. Throws ParseError. */
export const parseProcessIdentity = (text: string): ProcessIdentity => {
  const [, pid, startTicks] = /^(\d+) \([^]*\) \S (?:-?\d+ ){18}(\d+) /.exec(text) ?? [];
  if (pid === undefined) throw new ParseError('a line "PID (comm) state ppid ..." with a start time', quote(text));
  return { pid: Number(pid), startTicks: Number(startTicks) };
};
