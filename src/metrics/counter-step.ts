import type { Bounds } from './bounds.ts';

/** How wide a kernel's counter is, and so where it wraps to 0. */
export type CounterWidth = 'u32' | 'u64';

/** What is known of one counter of the kernel's. */
export interface CounterSource {
  /** The highest reading since its base: what was counted up to. */
  high: number;
  /** When it was read last, in seconds of monotonic time. */
  at: number;
  /** The last reading was absurd: a smaller one after it is neither a wrap nor a restart at 0. */
  isDoubtful: boolean;
}

/** A reading of a counter, with what may be expected of it. */
export interface CounterReading {
  readonly now: number;
  /** When it was taken, in seconds of monotonic time. */
  readonly at: number;
  readonly bounds: Bounds;
  /** Of how many CPUs, vCPUs or the like it is the sum. */
  readonly count: number;
  readonly width: CounterWidth | undefined;
}

/** What a reading adds to the total, and whether it starts from a new base. */
export interface CounterStep {
  readonly growth: number;
  readonly isReset: boolean;
}

// Readings are not taken at the moment for which they hold, and kernels count in batches.
const slackSeconds = 5;
const longestUptimeSeconds = 20 * 365 * 86_400;
const modulus = { u32: 2 ** 32, u64: 2 ** 64 } as const;

/** The largest plausible growth from a reading at `from` to one at `to`, in seconds of monotonic time. */
export const mostGrowth = (perSecond: number, from: number, to: number): number =>
  perSecond * (Math.max(0, to - from) + slackSeconds);

/** The first reading of a counter. All of it counts, as it would for Prometheus, unless no machine has run for long enough. */
export const firstStep = ({ now, at, bounds, count }: CounterReading): [CounterSource, CounterStep] => {
  const isAbsurd = now > bounds.perSecond * count * longestUptimeSeconds;
  return [
    { high: now, at, isDoubtful: isAbsurd },
    { growth: isAbsurd ? 0 : now, isReset: isAbsurd },
  ];
};

/**
 * Growth of a counter that goes forward as its bounds allow, or stands still; undefined if the reading has to be judged. Updates the source. `now` and
 * `at` are those of the reading, `perSecond` is its largest plausible growth: this is asked for each series of each scrape.
 */
export const stepForward = (source: CounterSource, now: number, at: number, perSecond: number): number | undefined => {
  const growth = now - source.high;
  if (growth < 0 || growth > mostGrowth(perSecond, source.at, at)) return undefined;
  source.high = now;
  source.at = at;
  source.isDoubtful = false;
  return growth;
};

/** Whether a reading lies further back than noise does. */
export const wentBack = ({ high }: CounterSource, { now, bounds, count }: CounterReading): boolean =>
  high - now > bounds.stepBack * count;

/**
 * Judges a reading that does not go forward as its bounds allow; updates the source. A small step back is noise: nothing is added, nor on the way up
 * to where the counter was. A larger one is a wrap if the growth would be within bounds, and if no other counter of the device went back too: they
 * all restart at once, and wrap one by one. Else the counter restarted at 0, and what it has counted since is its growth if that is within bounds.
 * Any other reading is absurd: it adds nothing, and becomes the new base.
 */
export const judgeStep = (source: CounterSource, reading: CounterReading, othersWentBack: boolean): CounterStep => {
  const { now, at, bounds, count, width } = reading;
  const most = mostGrowth(bounds.perSecond * count, source.at, at);
  const isBack = wentBack(source, reading);
  if (now < source.high && !isBack) {
    source.at = at;
    return { growth: 0, isReset: false };
  }
  const wrapped = width === undefined ? Infinity : now + modulus[width] - source.high;
  const isBackFromGood = isBack && !source.isDoubtful;
  const isWrap = isBackFromGood && !othersWentBack && wrapped > 0 && wrapped <= most;
  const isRestart = isBackFromGood && !isWrap && now <= most;
  source.high = now;
  source.at = at;
  source.isDoubtful = !isWrap && !isRestart;
  if (isWrap) return { growth: wrapped, isReset: false };
  return { growth: isRestart ? now : 0, isReset: true };
};

/** A reading that has to be judged beside the others of its device. */
export interface Suspect {
  readonly source: CounterSource;
  readonly device: unknown;
  readonly reading: CounterReading;
}

/** Judges readings of one moment, which tell of each other whether a device restarted; updates their sources, and gives each step to `take`. */
export const judgeTogether = <Each extends Suspect>(
  suspects: readonly Each[],
  take: (suspect: Each, step: CounterStep) => void,
): void => {
  const back = new Map<unknown, number>();
  for (const { source, device, reading } of suspects) {
    if (wentBack(source, reading)) back.set(device, (back.get(device) ?? 0) + 1);
  }
  for (const suspect of suspects) {
    take(suspect, judgeStep(suspect.source, suspect.reading, (back.get(suspect.device) ?? 0) > 1));
  }
};
