import { ParseError, quote } from './parse-error.ts';

/** The kernel's clock and jiffies at one moment. */
export interface TimerList {
  /** CLOCK_MONOTONIC, in seconds. */
  readonly nowSeconds: number;
  /** Lower 53 bits of an unsigned long that begins at -300 x HZ, cut to 32 bits (INITIAL_JIFFIES). */
  readonly jiffies: number;
}

/** Whether the text so far is enough for parseTimerList. The rest is the timers of the other CPUs. */
export const hasJiffies = (text: string): boolean => /^jiffies: \d+\n/m.test(text);

/** Parses the head of /proc/timer_list up to the first CPU's jiffies (kernel/time/timer_list.c). Throws ParseError. */
export const parseTimerList = (text: string): TimerList => {
  const [, nanoseconds] = /^now at (\d+) nsecs$/m.exec(text) ?? [];
  const [, jiffies] = /^jiffies: (\d+)$/m.exec(text) ?? [];
  if (nanoseconds === undefined) throw new ParseError('a line "now at ... nsecs"', quote(text));
  if (jiffies === undefined) throw new ParseError('a line "jiffies: ..."', quote(text));
  return { nowSeconds: Number(nanoseconds) / 1e9, jiffies: Number(jiffies) };
};
