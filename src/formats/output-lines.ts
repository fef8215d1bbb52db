import { ParseError, quote } from './parse-error.ts';

/**
 * Splits a command's whole output into lines. A terminal may have added carriage returns. Throws ParseError if the
 * output is empty, or cut off before the last newline.
 */
export const outputLines = (text: string): string[] => {
  const isCrlf = text.endsWith('\r\n') && !/(?<!\r)\n/.test(text);
  const lines = text.split(isCrlf ? '\r\n' : '\n');
  const rest = lines.pop()!;
  if (rest !== '' || lines.length === 0)
    throw new ParseError('lines that all end in a newline', quote(rest, 'no output'));
  return lines;
};

/**
 * Non-empty lines of a file; some copies have blank ones. Throws ParseError if the last line was cut off, because
 * others are then missing too.
 */
export const fileLines = (text: string): string[] => {
  const lines = text.split('\n');
  const rest = lines.pop()!;
  if (rest !== '') throw new ParseError('a line end at the end of the file', quote(rest));
  return lines.filter((line) => line.trim() !== '');
};
