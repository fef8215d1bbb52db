import { runStates, type RunState } from '../../formats/xentrace.ts';
import type { Segment, TraceWindow } from '../../sources/xentrace/trace-window.ts';

/** Time that a vCPU spent in a run state, in one piece. */
export interface Interval {
  readonly domid: number;
  readonly vcpu: number;
  readonly state: RunState;
  /** Length of the interval as far as it was seen. */
  readonly cycles: number;
  /** The states before and after. Undefined if the trace had not begun, or was over. */
  readonly before: RunState | undefined;
  readonly after: RunState | undefined;
}

const unknownState = -1;

interface Open {
  /** Index of `runStates`, or unknownState. */
  readonly state: number;
  readonly since: number;
  readonly before: number | undefined;
}

/**
 * Gives each interval of each vCPU to `take`. One that goes on over an end of a segment is given up to there, for the first change in a segment
 * tells what was before it and the last one what comes after: so the states of a vCPU add up to the time that was observed. Nothing is given of
 * the time between segments, nor of a vCPU of which there is no record at all. A generator, as the trace's records are many; returns the number of
 * changes whose old state is not what the one before said, or that came before it: the interval between is not known and not given.
 */
export function* foldIntervals(
  trace: TraceWindow,
  span: Segment,
  take: (interval: Interval) => void,
): Generator<void, number> {
  const segments = trace.segments(span);
  const open = new Map<number, Open>();
  let mismatches = 0;
  let at = 0;

  const give = (vcpu: number, { state, since, before }: Open, until: number, after?: number): void =>
    take({
      domid: vcpu >>> 16,
      vcpu: vcpu & 0xffff,
      state: runStates[state]!,
      cycles: until - since,
      before: before === undefined ? undefined : runStates[before]!,
      after: after === undefined ? undefined : runStates[after]!,
    });
  const closeAll = (until: number): void => {
    for (const [vcpu, interval] of open) if (interval.state !== unknownState) give(vcpu, interval, until);
    open.clear();
  };

  yield* trace.inOrder((cycles, vcpu, states) => {
    while (at < segments.length && cycles > segments[at]!.end) {
      closeAll(segments[at]!.end);
      at += 1;
    }
    const segment = segments[at];
    if (segment === undefined || cycles < segment.begin) return;
    const from = states >>> 4;
    const to = states & 0xf;
    const known = open.get(vcpu) ?? { state: from, since: segment.begin, before: undefined };
    if (from === to && known.state === from && known.since <= cycles) return void open.set(vcpu, known);
    if (known.state === from && known.since <= cycles) give(vcpu, known, cycles, to);
    else mismatches += 1;
    // Where time went back, what was given already reaches beyond this change.
    if (known.since > cycles) open.set(vcpu, { state: unknownState, since: known.since, before: undefined });
    else open.set(vcpu, { state: to, since: cycles, before: from });
  });
  const last = segments[at];
  if (last !== undefined) closeAll(last.end);
  return mismatches;
}
