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

/** What a trace holds, given to the parser in these pieces. Throws what the parser throws. */
export const parseTrace = (...pieces: readonly Uint8Array[]): Parsed => {
  const changes: RunStateChange[] = [];
  const lost: LostRecords[] = [];
  const parser = new XentraceParser({ change: (one) => changes.push(one), lost: (one) => lost.push(one) });
  for (const piece of pieces) parser.push(piece);
  parser.end();
  return { changes, lost, span: parser.span };
};

/** The intervals of a trace, the cycles of which it is complete, and the changes that do not fit. */
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
 * What `xenalyze --summary` says of each vCPU: for each run state, and for runnable by what was before it (wake: blocked, preempt: running), the
 * number of whole intervals and the product of that with their mean in cycles, which is cut to an integer.
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
  /** Of the interval at the end, where the vCPU still ran. */
  running: number;
}

/**
 * As xenalyze counts: whole intervals by run state, from where a vCPU is first seen to begin running; those of runnable also by what was before,
 * where it calls a wake what was not a preemption.
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
 * How the intervals of a trace differ from what `xenalyze --summary` says of it, in words; and how many vCPUs of domains it tells of. It cuts its
 * means to whole cycles; and each interval of running where the vCPU was asked whether it should go on, so that it counts part of the last one.
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

/** A vCPU that goes from one run state to another. */
export const changeRecord = (
  time: bigint,
  [domid, vcpu]: readonly [number, number],
  from: RunState,
  to: RunState,
): Uint8Array =>
  record(0x21001 | (runStates.indexOf(from) << 8) | (runStates.indexOf(to) << 4), time, domid * 0x1_0000 + vcpu);

/** As insert_lost_records in xen/common/trace.c writes it; no capture has one. */
export const lostRecord = (time: bigint, count: number, first: bigint): Uint8Array =>
  record(0x1f001, time, count, 0, Number(first & 0xffff_ffffn), Number(first >> 32n));

/** A piece of one CPU's buffer. */
export const chunk = (cpu: number, ...records: readonly Uint8Array[]): Uint8Array => {
  const content = Buffer.concat(records);
  return Buffer.concat([record(0x1f003, undefined, cpu, content.length), content]);
};
