import { parseCounter } from './integer.ts';
import { outputLines } from './output-lines.ts';
import { ParseError, quote } from './parse-error.ts';

/** One datapath of Open vSwitch: `system@ovs-system` is the kernel's. */
export interface Datapath {
  datapath: string;
  /** Packets that no flow of the datapath matched, dropped on their way to ovs-vswitchd. Counter, u64, since the datapath was made. */
  lost: number;
}

/**
 * The datapaths that `ovs-appctl dpctl/show` and `ovs-dpctl show` print (lib/dpctl.c, show_dpif): a name on a line of its own, and what is
 * known of it on indented ones (by tabs before Open vSwitch 2.10 or so). A datapath whose counters could not be had is left out.
 * Throws ParseError.
 */
export const parseDpctlShow = (text: string): Datapath[] => {
  const datapaths: Datapath[] = [];
  let datapath: string | undefined;
  for (const line of outputLines(text)) {
    if (/^[^ \t]+:$/.test(line)) {
      datapath = line.slice(0, -1);
      continue;
    }
    if (datapath === undefined || !/^[ \t]/.test(line)) {
      throw new ParseError('a line "type@datapath:"', quote(line, 'an empty line'));
    }
    const lookups = line.trimStart();
    if (!lookups.startsWith('lookups:')) continue;
    const [, hits, missed, lost] = /^lookups: hit:(\d+) missed:(\d+) lost:(\d+)$/.exec(lookups) ?? [];
    if (hits === undefined || missed === undefined || lost === undefined) {
      throw new ParseError('a line "lookups: hit:N missed:N lost:N"', quote(line));
    }
    parseCounter(hits, `${datapath} hit`);
    parseCounter(missed, `${datapath} missed`);
    datapaths.push({ datapath, lost: parseCounter(lost, `${datapath} lost`) });
  }
  return datapaths;
};
