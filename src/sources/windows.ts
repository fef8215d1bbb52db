import { numberOption, type Option } from '../config/option.ts';

/** Nobody can look here, for as long as this process lives; the message says why. */
export class CannotTrace extends Error {
  override readonly name = 'CannotTrace';
}

// Time for whoever else waits to trace, and for what must start.
const leastPauseSeconds = 1;

/** The options of a collector that looks now and then. */
export const windowOptions = (windowSeconds: number): { window: Option<number>; interval: Option<number> } => ({
  window: numberOption({
    help: 'Seconds that a window lasts.',
    default: windowSeconds,
    metavar: 'SECONDS',
    min: 1,
    max: 300,
    whole: true,
  }),
  interval: numberOption({
    help: 'Seconds from the start of a window to the start of the next; at least one second is between two.',
    default: 60,
    metavar: 'SECONDS',
    min: 1,
    max: 3600,
  }),
});

/** Seconds from the end of a window to the start of the next. */
export const pauseSeconds = ({ window, interval }: { window: number; interval: number }): number =>
  Math.max(interval - window, leastPauseSeconds);
