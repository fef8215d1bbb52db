import { ParseError, quote } from './parse-error.ts';

/** The lines of a command's whole output. Throws ParseError where there is none, and where the last one was cut off: it has no newline. */
export const outputLines = (text: string): string[] => {
  const lines = text.split('\n');
  const rest = lines.pop()!;
  if (rest !== '' || lines.length === 0)
    throw new ParseError('lines that all end in a newline', quote(rest, 'no output'));
  return lines;
};
