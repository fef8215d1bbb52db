import { parseCounter } from './integer.ts';
import { outputLines } from './output-lines.ts';
import { orSkip, ParseError, quote, refuse } from './parse-error.ts';

/** One Open vSwitch datapath: `system@ovs-system` is the kernel's. */
export interface Datapath {
  datapath: string;
  /**
   * Packets without a matching flow that were dropped on their way to ovs-vswitchd. Counter, u64, since the datapath's
   * creation.
   */
  lost: number;
}

/** Lost packets in a line of lookups. */
const parseLost = (line: string, datapath: string): number => {
  const [, hits, missed, lost] = /^[ \t]+lookups: hit:(\d+) missed:(\d+) lost:(\d+)$/.exec(line) ?? [];
  if (hits === undefined || missed === undefined || lost === undefined) {
    throw new ParseError('a line "lookups: hit:N missed:N lost:N"', quote(line));
  }
  parseCounter(hits, `${datapath} hit`);
  parseCounter(missed, `${datapath} missed`);
  return parseCounter(lost, `${datapath} lost`);
};

/**
 * Parses the datapaths of `ovs-appctl dpctl/show` and `ovs-dpctl show` (lib/dpctl.c, show_dpif): a line with the name,
 * then indented details (by tabs before Open vSwitch 2.10 or so). Omits a datapath whose counters are unavailable.
 * Broken lines go to `skip`. Throws ParseError.
 */
export const parseDpctlShow = (text: string, skip = refuse): Datapath[] => {
  const datapaths: Datapath[] = [];
  let datapath: string | undefined;
  for (const line of outputLines(text)) {
    const name = /^([^ \t]+):$/.exec(line)?.[1];
    if (name !== undefined) datapath = name;
    else if (datapath === undefined || !/^[ \t]/.test(line)) {
      skip(new ParseError('a line "type@datapath:"', quote(line, 'an empty line')));
    } else if (line.trimStart().startsWith('lookups:')) {
      const of = datapath;
      const lost = orSkip(skip, () => parseLost(line, of));
      if (lost !== undefined) datapaths.push({ datapath, lost });
    }
  }
  return datapaths;
};
