import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/** CPU time and waits of a thread since it began, from the kernel's own scheduler. */
export interface ProcPidSchedstat {
  /** Time on a CPU, in nanoseconds; with PARAVIRT_TIME_ACCOUNTING off (Debian) also what was stolen meanwhile. */
  readonly runNanoseconds: number;
  /** Time ready to run but waiting for a CPU, in nanoseconds. */
  readonly waitNanoseconds: number;
}

/** /proc/PID/schedstat (fs/proc/base.c, proc_pid_schedstat): run time, wait time, timeslices. Throws ParseError. */
export const parsePidSchedstat = (text: string): ProcPidSchedstat => {
  const [run, wait, slices, ...others] = text.trimEnd().split(' ');
  if (run === undefined || wait === undefined || slices === undefined || others.length > 0) {
    throw new ParseError('three numbers', quote(text));
  }
  return { runNanoseconds: parseCounter(run, 'run time'), waitNanoseconds: parseCounter(wait, 'wait time') };
};
