import { foldIntervals, type Folded, type Interval } from '../../src/collectors/runstate/intervals.ts';
import { TraceWindow } from '../../src/collectors/runstate/trace-window.ts';
import {
  XentraceParser,
  runStates,
  type LostRecords,
  type RunState,
  type RunStateChange,
} from '../../src/formats/xentrace.ts';

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

/** The intervals of a trace. */
export const intervalsOf = (bytes: Uint8Array): { intervals: Interval[]; folded: Folded } => {
  const window = new TraceWindow();
  const parser = new XentraceParser(window);
  parser.push(bytes);
  parser.end();
  const intervals: Interval[] = [];
  const fold = foldIntervals(window, parser.span ?? { begin: 0, end: 0 }, (interval) => intervals.push(interval));
  for (;;) {
    const { done, value } = fold.next();
    if (done) return { intervals, folded: value as Folded };
  }
};

/** Number of intervals and the sum of their cycles. */
export interface Sum {
  count: number;
  cycles: number;
}

/**
 * What `xenalyze --summary` says of each vCPU: for each run state, and for runnable by what was before it (wake: blocked, preempt: running), the
 * number of whole intervals and the product of that with their mean in cycles, which is cut to an integer.
 */
export const parseXenalyze = (text: string): Map<string, Map<string, Sum>> => {
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
