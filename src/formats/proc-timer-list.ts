import { ParseError, quote } from './parse-error.ts';

/** The kernel's clock and its count of jiffies at one moment. */
export interface TimerList {
  /** CLOCK_MONOTONIC, in seconds. */
  readonly nowSeconds: number;
  /** The lower 53 bits of an unsigned long that begins at -300 x HZ, cut to 32 bits (INITIAL_JIFFIES). */
  readonly jiffies: number;
}

/** Whether what was read so far holds all that parseTimerList needs: the rest is the timers of every other CPU. */
export const hasJiffies = (text: string): boolean => /^jiffies: \d+\n/m.test(text);

/** The head of /proc/timer_list up to the jiffies of the first CPU (kernel/time/timer_list.c). Throws ParseError. */
export const parseTimerList = (text: string): TimerList => {
  const [, nanoseconds] = /^now at (\d+) nsecs$/m.exec(text) ?? [];
  const [, jiffies] = /^jiffies: (\d+)$/m.exec(text) ?? [];
  if (nanoseconds === undefined) throw new ParseError('a line "now at ... nsecs"', quote(text));
  if (jiffies === undefined) throw new ParseError('a line "jiffies: ..."', quote(text));
  return { nowSeconds: Number(nanoseconds) / 1e9, jiffies: Number(jiffies) };
};
