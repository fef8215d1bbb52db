import { ParseError, quote } from './parse-error.ts';

/**
 * The integer in a file of one number, such as /proc/sys/net/core/somaxconn or a sysfs attribute (`4096\n`, `-1\n`).
 * Throws ParseError for anything else, also for an integer that a double cannot hold exactly.
 */
export const parseInteger = (text: string): number => {
  const digits = text.trim();
  const value = /^-?\d+$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(value)) throw new ParseError('an integer', quote(text));
  return value;
};

/**
 * One column of a table of the kernel's unsigned counters; `name` is the column's, for the message. A u64 beyond 2^53 is rounded, as
 * Prometheus itself would round it: IpExt.InOctets gets there in eight days at 100 Gbit/s. Throws ParseError.
 */
export const parseCounter = (text: string, name: string): number => {
  if (!/^\d{1,20}$/.test(text)) throw new ParseError(`a number for ${name}`, quote(text, 'nothing'));
  return Number(text);
};

/**
 * The counter in a file of one number, such as a statistic of a device in sysfs (`4096\n`). A u64 beyond 2^53 is rounded. A number that no counter
 * reads, such as -1 where the kernel prints it signed, is for the metric's bounds to refuse: it must not cost the other devices' counters.
 * Throws ParseError for anything else.
 */
export const parseCounterFile = (text: string): number => {
  const digits = text.trim();
  if (!/^-?\d{1,20}$/.test(digits)) throw new ParseError('an integer', quote(text));
  return Number(digits);
};
