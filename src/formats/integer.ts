import { ParseError, quote } from './parse-error.ts';

/**
 * Parses a file with one integer, such as /proc/sys/net/core/somaxconn or a sysfs attribute (`4096\n`, `-1\n`). Throws
 * ParseError for anything else, including integers that a double cannot represent exactly.
 */
export const parseInteger = (text: string): number => {
  const digits = text.trim();
  const value = /^-?\d+$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(value)) throw new ParseError('an integer', quote(text));
  return value;
};

/**
 * Parses a column of the kernel's unsigned counters; `name` is the column's name for the message. A u64 beyond 2^53 is
 * rounded, as Prometheus would: IpExt.InOctets gets there in eight days at 100 Gbit/s. Throws ParseError.
 */
export const parseCounter = (text: string, name: string): number => {
  if (!/^\d{1,20}$/.test(text)) throw new ParseError(`a number for ${name}`, quote(text, 'nothing'));
  return Number(text);
};

/**
 * Parses a file with one counter, such as a device statistic in sysfs (`4096\n`). A u64 beyond 2^53 is rounded.
 * Impossible numbers, such as -1 if the kernel prints it signed, pass: the metric's bounds refuse them, and other
 * devices keep their counters. Throws ParseError for anything else.
 */
export const parseCounterFile = (text: string): number => {
  const digits = text.trim();
  if (!/^-?\d{1,20}$/.test(digits)) throw new ParseError('an integer', quote(text));
  return Number(digits);
};
