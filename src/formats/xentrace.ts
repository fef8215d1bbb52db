import { viewOf } from './netlink.ts';
import { ParseError } from './parse-error.ts';

/** Run states of a vCPU in the order of Xen's numbers (RUNSTATE_* in xen/include/public/vcpu.h). */
export const runStates = ['running', 'runnable', 'blocked', 'offline'] as const;
export type RunState = (typeof runStates)[number];

/** Event class of run states alone, for `xentrace -e` (TRC_SCHED_MIN in public/trace.h). */
export const runStateEvents = 0x0002_1000;

/** A vCPU changed its run state. From running to running: the scheduler decided to let it continue. */
export interface RunStateChange {
  /** The physical CPU that recorded it. */
  readonly cpu: number;
  /** Cycles of the time-stamp counter since the stream's first record with a time; may be negative. */
  readonly cycles: number;
  readonly domid: number;
  readonly vcpu: number;
  /** Indices of `runStates`. */
  readonly from: number;
  readonly to: number;
}

/** Records that a physical CPU could not write because its buffer was full. */
export interface LostRecords {
  readonly count: number;
  /** Time of the first lost record, which may be long before the trace began; undefined if the record lacks it. */
  readonly fromCycles: number | undefined;
  /** Time when there was room again. */
  readonly toCycles: number;
}

/** Receives the contents of a trace in stream order: by CPU, and in time order only within each CPU. */
export interface TraceReader {
  change(change: RunStateChange): void;
  lost(lost: LostRecords): void;
}

// xen/include/public/trace.h.
const events = {
  lostRecords: 0x1_f001,
  cpuChange: 0x1_f003,
  runStateChange: 0x2_1001,
  continueRunning: 0x2_1002,
} as const;
const eventMask = 0x0fff_ffff;
// Run states are in bits 4-7 and 8-11 of the event (vcpu_runstate_change in xen/common/sched/core.c).
const stateMask = 0xff0;

/**
 * Parses the output of `xentrace` (tools/xentrace/xentrace.c) as it arrives: chunks of each physical CPU's trace
 * buffer. A record starts with a word: bits 0-27 event, bits 28-30 number of further words, bit 31 whether a time stamp
 * precedes them. Other events are ignored. Little-endian, like all Dom0 machines.
 */
export class XentraceParser {
  readonly #reader: TraceReader;
  #rest: Uint8Array = new Uint8Array();
  #cpu: number | undefined;
  /** Remaining bytes of the current CPU's chunk. */
  #chunkBytes = 0;
  #base: { high: number; low: number } | undefined;
  #first = Infinity;
  #last = -Infinity;

  constructor(reader: TraceReader) {
    this.#reader = reader;
  }

  /** Least and greatest time of all records, in cycles; undefined before the first. */
  get span(): { readonly begin: number; readonly end: number } | undefined {
    return this.#first <= this.#last ? { begin: this.#first, end: this.#last } : undefined;
  }

  /** Takes the next bytes of the stream, split anywhere. Throws ParseError. */
  push(bytes: Uint8Array): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const view = viewOf(all);
    let at = 0;
    while (at + 4 <= all.length) {
      const header = view.getUint32(at, true);
      const words = (header >>> 28) & 7;
      const hasTime = header >>> 31 === 1;
      const wordsAt = at + 4 + (hasTime ? 8 : 0);
      const end = wordsAt + 4 * words;
      if (end > all.length) break;
      const event = header & eventMask;
      if (event === events.cpuChange) this.#enterChunk(view, wordsAt, words, hasTime);
      else this.#record(view, at, { event, words, hasTime, wordsAt, end });
      at = end;
    }
    // Copy, because the caller owns the bytes.
    this.#rest = all.slice(at);
  }

  /** Ends the stream. Throws ParseError if it ended within a record or a chunk. */
  end(): void {
    if (this.#rest.length > 0) throw new ParseError('a whole record', `its first ${this.#rest.length} bytes`);
    if (this.#chunkBytes > 0) throw new ParseError(`${this.#chunkBytes} more bytes of CPU ${this.#cpu}`, 'the end');
  }

  #enterChunk(view: DataView, wordsAt: number, words: number, hasTime: boolean): void {
    if (words !== 2 || hasTime) throw new ParseError('a CPU and a number of bytes', `${words} words`);
    if (this.#chunkBytes > 0) throw new ParseError(`${this.#chunkBytes} more bytes of CPU ${this.#cpu}`, 'another CPU');
    this.#cpu = view.getUint32(wordsAt, true);
    this.#chunkBytes = view.getUint32(wordsAt + 4, true);
  }

  #record(
    view: DataView,
    at: number,
    record: { event: number; words: number; hasTime: boolean; wordsAt: number; end: number },
  ): void {
    const { event, words, hasTime, wordsAt, end } = record;
    const cpu = this.#cpu;
    if (cpu === undefined) throw new ParseError('the number of a CPU', `event 0x${event.toString(16)}`);
    const bytes = end - at;
    if (bytes > this.#chunkBytes) {
      throw new ParseError(`a record within the ${this.#chunkBytes} bytes left of CPU ${cpu}`, `one of ${bytes} bytes`);
    }
    this.#chunkBytes -= bytes;
    if (!hasTime) {
      // The marker at the end of a buffer has no time and carries no data.
      if (event !== events.lostRecords) return;
      throw new ParseError('a time in the record of lost ones', 'none');
    }
    const cycles = this.#cycles(view, at + 4);
    this.#first = Math.min(this.#first, cycles);
    this.#last = Math.max(this.#last, cycles);
    if ((event & ~stateMask) === events.runStateChange || event === events.continueRunning) {
      if (words < 1) throw new ParseError('a vCPU whose run state changes', 'none');
      const vcpu = view.getUint32(wordsAt, true);
      const from = (event >>> 8) & 0xf;
      const to = (event >>> 4) & 0xf;
      if (from >= runStates.length || to >= runStates.length) {
        throw new ParseError('run states from 0 to 3', `${from} and ${to}`);
      }
      this.#reader.change({ cpu, cycles, domid: vcpu >>> 16, vcpu: vcpu & 0xffff, from, to });
    } else if (event === events.lostRecords) {
      if (words < 1) throw new ParseError('a number of lost records', 'none');
      // Count, domain and vCPU, then the time of the first lost record (insert_lost_records in xen/common/trace.c).
      const fromCycles = words >= 4 ? this.#cycles(view, wordsAt + 8) : undefined;
      this.#reader.lost({ count: view.getUint32(wordsAt, true), fromCycles, toCycles: cycles });
    }
  }

  /**
   * The time stamp at an offset. Its 64 bits do not fit a double, but its distance from the first does: for 43 days at
   * 2.4 GHz.
   */
  #cycles(view: DataView, at: number): number {
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    this.#base ??= { high, low };
    return ((high - this.#base.high) | 0) * 2 ** 32 + (low - this.#base.low);
  }
}
