import { outputLines } from './output-lines.ts';
import { ParseError, quote, readRows, refuse } from './parse-error.ts';

/**
 * Parses `xl pci-assignable-list` (tools/xl/xl_pci.c): addresses (`0000:00:1f.3`) of PCI devices that guests can be
 * given; a name may follow (-n). Empty output means no device. Broken lines go to `skip`. Throws ParseError.
 */
export const parsePciAssignableList = (text: string, skip = refuse): string[] => {
  if (text === '') return [];
  const parseLine = (line: string): string => {
    const address = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](?= |$)/.exec(line)?.[0];
    if (address === undefined) throw new ParseError('a line "0000:00:00.0"', quote(line, 'an empty line'));
    return address;
  };
  return readRows(outputLines(text), parseLine, skip);
};
