import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/** How often a probe was hit since it was made. */
export interface ProbeCounts {
  readonly hits: number;
  /** Missed hits. A return probe misses calls beyond those that it can follow at once. Any probe misses hits while another one runs on the same CPU. */
  readonly missed: number;
}

/**
 * tracefs' kprobe_profile (probes_profile_seq_show in kernel/trace/trace_kprobe.c), by the name of the event: that of its group is not told. It
 * is empty where nobody has a probe. Throws ParseError.
 */
export const parseKprobeProfile = (text: string): Map<string, ProbeCounts> => {
  const probes = new Map<string, ProbeCounts>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, event, hits, missed] = /^ {2}(\w+) +(\d+) +(\d+)$/.exec(line) ?? [];
    if (event === undefined) throw new ParseError('a line "  EVENT HITS MISSED"', quote(line));
    probes.set(event, { hits: parseCounter(hits!, 'hits'), missed: parseCounter(missed!, 'missed') });
  }
  return probes;
};
