import { runStates, type RunState } from '../../formats/xentrace.ts';
import type { Segment, TraceWindow } from '../../sources/xentrace/trace-window.ts';

/** Uninterrupted time of a vCPU in a run state. */
export interface Interval {
  readonly domid: number;
  readonly vcpu: number;
  readonly state: RunState;
  /** Observed length of the interval. */
  readonly cycles: number;
  /** State before and after. Undefined before the start or after the end of the trace. */
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
 * Passes each interval of each vCPU to `take`. At the end of a segment open intervals are cut: the first change in a
 * segment reports the state before it, and the last one the state after it, so the states of a vCPU sum to the observed
 * time. Time between segments, and vCPUs without any record, are left out. A generator, because a trace has many
 * records. Returns the number of changes whose old state contradicts the previous change or that precede it in time;
 * their interval is unknown and left out.
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
    // If time went back, the reported intervals already extend beyond this change.
    if (known.since > cycles) open.set(vcpu, { state: unknownState, since: known.since, before: undefined });
    else open.set(vcpu, { state: to, since: cycles, before: from });
  });
  const last = segments[at];
  if (last !== undefined) closeAll(last.end);
  return mismatches;
}
