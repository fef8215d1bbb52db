import { ParseError, quote } from './parse-error.ts';

// Far more than Linux supports. A broken list must not become huge.
const maxCpus = 1 << 16;

/**
 * Parses a list of CPUs, such as `0,2-5` in /sys/devices/system/cpu/online (Documentation/admin-guide/cputopology.rst).
 * Throws ParseError.
 */
export const parseCpuList = (text: string): number[] =>
  text
    .trim()
    .split(',')
    .flatMap((range) => {
      const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
      const length = Number(last) - Number(first) + 1;
      if (first === undefined || !(length >= 1 && length <= maxCpus)) {
        throw new ParseError('a list of CPUs ("0,2-5")', quote(text));
      }
      return Array.from({ length }, (_, i) => Number(first) + i);
    });
