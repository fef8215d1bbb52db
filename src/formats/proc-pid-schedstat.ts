import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/** CPU time and waits of a thread since its start, from the kernel's scheduler. */
export interface ProcPidSchedstat {
  /** Time on a CPU, in nanoseconds. Includes steal if PARAVIRT_TIME_ACCOUNTING is off (Debian). */
  readonly runNanoseconds: number;
  /** Time ready but waiting for a CPU, in nanoseconds. */
  readonly waitNanoseconds: number;
}

/**
 * Parses /proc/PID/schedstat (fs/proc/base.c, proc_pid_schedstat): run time, wait time, timeslices. Throws ParseError.
 */
export const parsePidSchedstat = (text: string): ProcPidSchedstat => {
  const [run, wait, slices, ...others] = text.trimEnd().split(' ');
  if (run === undefined || wait === undefined || slices === undefined || others.length > 0) {
    throw new ParseError('three numbers', quote(text));
  }
  return { runNanoseconds: parseCounter(run, 'run time'), waitNanoseconds: parseCounter(wait, 'wait time') };
};
