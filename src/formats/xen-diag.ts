import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/**
 * Size of a domain's grant table in frames of 4 KiB: 512 grants each with version 1 of the table, 256 with version 2.
 */
export interface GrantTableSize {
  domid: number;
  /** Current frames; the table grows and never shrinks. */
  frames: number;
  maxFrames: number;
}

/** Parses the output of `xen-diag gnttab_query_size DOMID` (tools/misc/xen-diag.c). Throws ParseError. */
export const parseGnttabQuerySize = (text: string): GrantTableSize => {
  const [, domid, frames, maxFrames] = /^domid=(\d+): nr_frames=(\d+), max_nr_frames=(\d+)\n$/.exec(text) ?? [];
  if (domid === undefined || frames === undefined || maxFrames === undefined) {
    throw new ParseError('a line "domid=N: nr_frames=N, max_nr_frames=N"', quote(text, 'no output'));
  }
  return {
    domid: parseCounter(domid, 'domid'),
    frames: parseCounter(frames, 'nr_frames'),
    maxFrames: parseCounter(maxFrames, 'max_nr_frames'),
  };
};
