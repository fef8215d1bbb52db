import { ParseError, quote } from './parse-error.ts';

/**
 * The lines of a command's whole output, which a terminal on the way may have given carriage returns. Throws ParseError where there is none, and where the
 * last one was cut off: it has no newline.
 */
export const outputLines = (text: string): string[] => {
  const isCrlf = text.endsWith('\r\n') && !/(?<!\r)\n/.test(text);
  const lines = text.split(isCrlf ? '\r\n' : '\n');
  const rest = lines.pop()!;
  if (rest !== '' || lines.length === 0)
    throw new ParseError('lines that all end in a newline', quote(rest, 'no output'));
  return lines;
};

/** The lines of a file, without blank ones, which some copies have. Throws ParseError where the last one was cut off: then others are missing too. */
export const fileLines = (text: string): string[] => {
  const lines = text.split('\n');
  const rest = lines.pop()!;
  if (rest !== '') throw new ParseError('a line end at the end of the file', quote(rest));
  return lines.filter((line) => line.trim() !== '');
};
