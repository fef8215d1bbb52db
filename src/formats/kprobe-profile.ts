import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/** Hits of a probe since its creation. */
export interface ProbeCounts {
  readonly hits: number;
  /**
   * Missed hits. A return probe misses calls beyond its tracking limit. Any probe misses hits while another one runs on
   * the same CPU.
   */
  readonly missed: number;
}

/**
 * Parses tracefs' kprobe_profile (probes_profile_seq_show in kernel/trace/trace_kprobe.c), by event name without its
 * group. The file is empty if no program has a probe. Throws ParseError.
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
