import type { LostRecords, RunStateChange, TraceReader } from '../../formats/xentrace.ts';

// Domids from here on are not domains but idle vCPUs or Xen itself (DOMID_FIRST_RESERVED in xen/include/public/xen.h).
const firstReservedDomid = 0x7ff0;
const firstCapacity = 1024;

/** Records of one physical CPU in time order. */
class CpuRecords {
  length = 0;
  cycles = new Float64Array(firstCapacity);
  /** Domid and vCPU in one number, as Xen packs them. */
  vcpus = new Uint32Array(firstCapacity);
  /** Old state << 4 | new state. */
  states = new Uint8Array(firstCapacity);

  add({ cycles, domid, vcpu, from, to }: RunStateChange): void {
    if (this.length === this.cycles.length) this.#grow();
    this.cycles[this.length] = cycles;
    this.vcpus[this.length] = domid * 0x1_0000 + vcpu;
    this.states[this.length] = (from << 4) | to;
    this.length += 1;
  }

  #grow(): void {
    const capacity = 2 * this.length;
    const [cycles, vcpus, states] = [this.cycles, this.vcpus, this.states];
    (this.cycles = new Float64Array(capacity)).set(cycles);
    (this.vcpus = new Uint32Array(capacity)).set(vcpus);
    (this.states = new Uint8Array(capacity)).set(states);
  }
}

/** A time span with complete records, in cycles. */
export interface Segment {
  readonly begin: number;
  readonly end: number;
}

/** Stores the run-state changes of a trace, in 13 bytes each, until it has ended. */
export class TraceWindow implements TraceReader {
  readonly #cpus = new Map<number, CpuRecords>();
  readonly #lost: LostRecords[] = [];

  change(change: RunStateChange): void {
    if (change.domid >= firstReservedDomid) return;
    let records = this.#cpus.get(change.cpu);
    if (!records) this.#cpus.set(change.cpu, (records = new CpuRecords()));
    records.add(change);
  }

  lost(lost: LostRecords): void {
    this.#lost.push(lost);
  }

  get lostRecords(): number {
    return this.#lost.reduce((sum, { count }) => sum + count, 0);
  }

  /**
   * The parts of the trace in which no CPU lost a record, in order. A lost record may be about any vCPU: a CPU that
   * wakes another CPU's vCPU records it itself.
   */
  segments({ begin, end }: Segment): Segment[] {
    const gaps = this.#lost
      .map(({ fromCycles = -Infinity, toCycles }) => ({ begin: fromCycles, end: toCycles }))
      .sort((a, b) => a.begin - b.begin);
    const segments: Segment[] = [];
    let at = begin;
    for (const gap of gaps) {
      if (gap.begin > at) segments.push({ begin: at, end: Math.min(gap.begin, end) });
      at = Math.max(at, gap.end);
    }
    if (at < end) segments.push({ begin: at, end });
    return segments;
  }

  /**
   * Passes all changes in time order to `take`; `states` is old << 4 | new. Yields regularly so that other work can
   * run.
   */
  *inOrder(take: (cycles: number, vcpu: number, states: number) => void): Iterable<void> {
    const heads = [...this.#cpus.values()].map((records) => ({ records, at: 0 }));
    for (let taken = 1; ; taken += 1) {
      let next: (typeof heads)[number] | undefined;
      let least = Infinity;
      for (const head of heads) {
        if (head.at === head.records.length) continue;
        const cycles = head.records.cycles[head.at]!;
        if (next && cycles >= least) continue;
        next = head;
        least = cycles;
      }
      if (!next) return;
      const { records, at } = next;
      next.at += 1;
      take(least, records.vcpus[at]!, records.states[at]!);
      if (taken % changesPerTurn === 0) yield;
    }
  }
}

// Takes a millisecond or two.
const changesPerTurn = 4096;
