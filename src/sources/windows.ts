/** Tracing is impossible while this process lives. The message states why. */
export class CannotTrace extends Error {
  override readonly name = 'CannotTrace';
}

// Time for other programs that want to trace, and for start-up.
const leastPauseSeconds = 1;

/** Seconds from the end of a window to the start of the next. */
export const pauseSeconds = ({ window, interval }: { window: number; interval: number }): number =>
  Math.max(interval - window, leastPauseSeconds);
