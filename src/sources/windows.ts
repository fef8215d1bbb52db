/** Nobody can look here, for as long as this process lives; the message says why. */
export class CannotTrace extends Error {
  override readonly name = 'CannotTrace';
}

// Time for whoever else waits to trace, and for what must start.
const leastPauseSeconds = 1;

/** Seconds from the end of a window to the start of the next. */
export const pauseSeconds = ({ window, interval }: { window: number; interval: number }): number =>
  Math.max(interval - window, leastPauseSeconds);
