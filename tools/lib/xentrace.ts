import { foldIntervals, type Interval } from '../../src/collectors/runstate/intervals.ts';
import { TraceWindow } from '../../src/sources/xentrace/trace-window.ts';
import {
  XentraceParser,
  runStates,
  type LostRecords,
  type RunState,
  type RunStateChange,
} from '../../src/formats/xentrace.ts';

/** Captured traces, test/fixtures/xentrace/NAME.xt. */
export const captures = [
  'credit-idle',
  'credit-storm',
  'credit-storm-timeslice-1ms',
  'credit2-idle',
  'credit2-storm',
  'credit2-hvm-booting',
];

export interface Parsed {
  readonly changes: RunStateChange[];
  readonly lost: LostRecords[];
  readonly span: { readonly begin: number; readonly end: number } | undefined;
}

/** Parses a trace from these pieces. Throws the parser's errors. */
export const parseTrace = (...pieces: readonly Uint8Array[]): Parsed => {
  const changes: RunStateChange[] = [];
  const lost: LostRecords[] = [];
  const parser = new XentraceParser({ change: (one) => changes.push(one), lost: (one) => lost.push(one) });
  for (const piece of pieces) parser.push(piece);
  parser.end();
  return { changes, lost, span: parser.span };
};

/** Intervals of a trace, its cycles with complete records, and the number of contradictory changes. */
export const intervalsOf = (
  bytes: Uint8Array,
): { intervals: Interval[]; folded: { cycles: number; mismatches: number } } => {
  const window = new TraceWindow();
  const parser = new XentraceParser(window);
  parser.push(bytes);
  parser.end();
  const intervals: Interval[] = [];
  const span = parser.span ?? { begin: 0, end: 0 };
  const cycles = window.segments(span).reduce((sum, { begin, end }) => sum + end - begin, 0);
  const fold = foldIntervals(window, span, (interval) => intervals.push(interval));
  for (;;) {
    const { done, value } = fold.next();
    if (done) return { intervals, folded: { cycles, mismatches: value as number } };
  }
};

/** Number of intervals and the sum of their cycles. */
interface Sum {
  count: number;
  cycles: number;
}

/**
 * Parses `xenalyze --summary`: for each vCPU and run state, and for runnable by the preceding state (wake: blocked,
 * preempt: running), the number of whole intervals, and that number times their mean in cycles, which is cut to an
 * integer.
 */
const parseXenalyze = (text: string): Map<string, Map<string, Sum>> => {
  const vcpus = new Map<string, Map<string, Sum>>();
  let domid = '';
  let sums: Map<string, Sum> | undefined;
  for (const line of text.split('\n')) {
    domid = /^\|-- Domain (\d+) --\|$/.exec(line)?.[1] ?? domid;
    const vcpu = /^-- v(\d+) --$/.exec(line)?.[1];
    if (line.startsWith('|--')) sums = undefined;
    if (vcpu !== undefined) vcpus.set(`${domid}.${vcpu}`, (sums = new Map()));
    const [, what, count, mean] =
      /^ +(running|runnable|wake|preempt|blocked|offline): +(\d+) +[\d.]+s +(\d+) /.exec(line) ?? [];
    if (sums && what) sums.set(what, { count: Number(count), cycles: Number(count) * Number(mean) });
  }
  return vcpus;
};

interface Sums {
  readonly whole: Map<string, Sum>;
  /** The interval at the end, in which the vCPU was still running. */
  running: number;
}

/**
 * Counts like xenalyze: whole intervals by run state, from the first time that a vCPU starts to run. Runnable intervals
 * also by their cause: everything but preemption counts as a wake.
 */
const sumsOf = (intervals: readonly Interval[]): Map<string, Sums> => {
  const vcpus = new Map<string, Sums>();
  for (const { domid, vcpu, state, cycles, before, after } of intervals) {
    const key = `${domid}.${vcpu}`;
    const known = vcpus.get(key);
    if (!known && (state !== 'running' || before === undefined)) continue;
    const sums = known ?? { whole: new Map<string, Sum>(), running: 0 };
    vcpus.set(key, sums);
    if (after === undefined) {
      if (state === 'running') sums.running = cycles;
      continue;
    }
    const names: string[] = [state];
    if (state === 'runnable') names.push(before === 'running' ? 'preempt' : 'wake');
    for (const name of names) {
      const sum = sums.whole.get(name) ?? { count: 0, cycles: 0 };
      sums.whole.set(name, { count: sum.count + 1, cycles: sum.cycles + cycles });
    }
  }
  return vcpus;
};

/**
 * Differences between a trace's intervals and `xenalyze --summary`, in words, and the number of domain vCPUs in the
 * summary. xenalyze cuts its means to whole cycles. It also splits running intervals where the scheduler let the vCPU
 * continue, so it counts part of the last one.
 */
export const compareWithXenalyze = (
  intervals: readonly Interval[],
  text: string,
): { vcpus: number; differences: string[] } => {
  const ours = sumsOf(intervals);
  const theirs = [...parseXenalyze(text)].filter(([key]) => !key.startsWith('32767.'));
  const known = new Set(theirs.map(([key]) => key));
  const differences = [...ours.keys()].filter((key) => !known.has(key)).map((key) => `${key}: not in xenalyze`);
  for (const [key, sums] of theirs) {
    const own = ours.get(key);
    const states = new Set([...sums.keys(), ...(own?.whole.keys() ?? [])]);
    for (const state of states) {
      const { count, cycles } = sums.get(state) ?? { count: 0, cycles: 0 };
      const { count: ownCount, cycles: ownCycles } = own?.whole.get(state) ?? { count: 0, cycles: 0 };
      const part = state === 'running' ? (own?.running ?? 0) : 0;
      const isSame =
        (state === 'running' || ownCount === count) && ownCycles + part >= cycles && ownCycles <= cycles + count;
      if (!isSame) differences.push(`${key} ${state}: ${ownCount} in ${ownCycles}, of xenalyze ${count} in ${cycles}`);
    }
  }
  return { vcpus: theirs.length, differences };
};

/** A little-endian record of Xen's trace buffer. */
export const record = (event: number, time: bigint | undefined, ...words: readonly number[]): Uint8Array => {
  const bytes = Buffer.alloc(4 + (time === undefined ? 0 : 8) + 4 * words.length);
  bytes.writeUInt32LE((event + words.length * 2 ** 28 + (time === undefined ? 0 : 2 ** 31)) >>> 0);
  if (time !== undefined) bytes.writeBigUInt64LE(BigInt.asUintN(64, time), 4);
  words.forEach((word, i) => bytes.writeUInt32LE(word, bytes.length - 4 * (words.length - i)));
  return bytes;
};

/** A run-state change of a vCPU. */
export const changeRecord = (
  time: bigint,
  [domid, vcpu]: readonly [number, number],
  from: RunState,
  to: RunState,
): Uint8Array =>
  record(0x21001 | (runStates.indexOf(from) << 8) | (runStates.indexOf(to) << 4), time, domid * 0x1_0000 + vcpu);

/** A record like that of insert_lost_records in xen/common/trace.c. No capture has one. */
export const lostRecord = (time: bigint, count: number, first: bigint): Uint8Array =>
  record(0x1f001, time, count, 0, Number(first & 0xffff_ffffn), Number(first >> 32n));

/** A piece of one CPU's buffer. */
export const chunk = (cpu: number, ...records: readonly Uint8Array[]): Uint8Array => {
  const content = Buffer.concat(records);
  return Buffer.concat([record(0x1f003, undefined, cpu, content.length), content]);
};
