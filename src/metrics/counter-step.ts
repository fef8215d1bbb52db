import { noiseShare, type Bounds } from './bounds.ts';

/** Width of a kernel counter: where it wraps to 0. */
export type CounterWidth = 'u32' | 'u64';

/** A reading from which later readings continue. */
interface CounterBase {
  /** The highest reading since the base: growth is counted up to here. */
  high: number;
  /**
   * Time of the last reading, or of its start, in seconds of monotonic time. It is later if the counter grew faster
   * than that time allows, so that the slack of one reading is not granted again to the next.
   */
  at: number;
}

/** State of one counter of the kernel. */
export interface CounterSource extends CounterBase {
  /**
   * The last reading was absurd and the counter has not grown since. A smaller reading is neither a wrap nor a restart
   * at 0.
   */
  isDoubtful: boolean;
  /**
   * Base before the last absurd reading; the counter may return to it. It grows with the counter, because that growth
   * is counted already.
   */
  before?: CounterBase | undefined;
}

/** A reading of a counter with its bounds. */
export interface CounterReading {
  readonly now: number;
  /** Time of the reading, in seconds of monotonic time. */
  readonly at: number;
  readonly bounds: Bounds;
  /** Number of CPUs, vCPUs or the like that the reading sums. */
  readonly count: number;
  readonly width: CounterWidth | undefined;
}

/** Growth by a reading, and whether the reading is a new base. */
export interface CounterStep {
  readonly growth: number;
  readonly isReset: boolean;
}

// Readings are older than their timestamps, and kernels count in batches.
const slackSeconds = 5;
// The counter's clock may be slightly faster than ours.
const clockDrift = 1.1;
const longestUptimeSeconds = 20 * 365 * 86_400;
// No counter gets this high: a 64-bit counter that reads this underflowed. A total of this size would also hide growth.
const mostOfAny = 2 ** 63;
const modulus = { u32: 2 ** 32, u64: 2 ** 64 } as const;
// After a longer pause a 32-bit wrap would always be within bounds, and a restart is likelier.
const longestPauseBeforeWrap = 60;

/** Largest plausible growth between readings at `from` and `to`, in seconds of monotonic time. */
export const mostGrowth = (perSecond: number, from: number, to: number): number =>
  perSecond * Math.max(0, to - from + slackSeconds);

/** The `at` of a base that has grown since `from`. */
const accountedUntil = (from: number, growth: number, at: number, perSecond: number): number =>
  Math.max(at, from + growth / (perSecond * clockDrift));

/** Returns whether a counter can have this value. */
const isCount = (now: number): boolean => now >= 0 && now < Infinity;

/**
 * The first reading of a counter. All of it counts, as in Prometheus, unless it underflowed or no machine has run that
 * long.
 */
export const firstStep = ({ now, at, bounds, count }: CounterReading): [CounterSource, CounterStep] => {
  const isAbsurd = !isCount(now) || now >= mostOfAny || now > bounds.perSecond * count * longestUptimeSeconds;
  return [
    { high: isCount(now) ? now : 0, at, isDoubtful: isAbsurd },
    { growth: isAbsurd ? 0 : now, isReset: isAbsurd },
  ];
};

/**
 * Growth of a counter that stays within its bounds or stands still; undefined if the reading must be judged. Updates
 * the source. `now` and `at` belong to the reading, `perSecond` is its largest plausible growth. Scalar arguments,
 * because this runs for each series of each scrape.
 */
export const stepForward = (source: CounterSource, now: number, at: number, perSecond: number): number | undefined => {
  const growth = now - source.high;
  // NaN fails both comparisons.
  const isForward = growth >= 0 && growth <= mostGrowth(perSecond, source.at, at);
  if (!isForward || source.isDoubtful) return undefined;
  goForward(source, growth, now, at, perSecond);
  return growth;
};

const goForward = (source: CounterSource, growth: number, now: number, at: number, perSecond: number): void => {
  source.high = Math.max(source.high, now);
  source.at = accountedUntil(source.at, growth, at, perSecond);
  if (source.before) source.before = { high: source.before.high + growth, at: source.at };
};

/** Returns whether a reading is further back than noise. */
export const wentBack = ({ high }: CounterBase, { now, bounds, count }: CounterReading): boolean =>
  isCount(now) && high - now > Math.max(bounds.stepBack * count, high * noiseShare);

/** Growth from a base to a reading that continues it; undefined if it does not. */
const growthFrom = (base: CounterBase, reading: CounterReading): number | undefined => {
  const growth = reading.now - base.high;
  if (growth < 0) return wentBack(base, reading) ? undefined : 0;
  return growth <= mostGrowth(reading.bounds.perSecond * reading.count, base.at, reading.at) ? growth : undefined;
};

/**
 * Judges a reading that leaves its bounds or follows an absurd one. Updates the source.
 * - A small step back is noise. It adds nothing, nor does the way back up.
 * - A reading that continues the base before an absurd reading grows from that base.
 * - A larger step back is a wrap if the counter was in the upper half of its range, the growth is within bounds, and no
 *   other counter of the device went back: counters restart together but wrap one by one.
 * - Otherwise the counter restarted at 0, and its reading is its growth if that is within bounds.
 * - Any other reading is absurd. It adds nothing, and becomes the new base unless no counter can have that value.
 */
export const judgeStep = (source: CounterSource, reading: CounterReading, othersWentBack: boolean): CounterStep => {
  const { now, at, bounds, count, width } = reading;
  if (!isCount(now)) return { growth: 0, isReset: true };
  const perSecond = bounds.perSecond * count;

  const growth = growthFrom(source, reading);
  const growthFromBefore = source.before && growthFrom(source.before, reading);
  if (growthFromBefore !== undefined && (growth === undefined || growthFromBefore < growth)) {
    const { high, at: from } = source.before!;
    const accounted = accountedUntil(from, growthFromBefore, at, perSecond);
    Object.assign(source, { high: Math.max(high, now), at: accounted, isDoubtful: false, before: undefined });
    return { growth: growthFromBefore, isReset: false };
  }
  if (growth !== undefined) {
    if (growth > 0) source.isDoubtful = false;
    if (source.isDoubtful) source.at = Math.max(at, source.at);
    else goForward(source, growth, now, at, perSecond);
    return { growth, isReset: false };
  }

  const isBackFromGood = now < source.high && !source.isDoubtful;
  const wrapped = width === undefined ? Infinity : now + modulus[width] - source.high;
  const isUpperHalf = width !== undefined && source.high >= modulus[width] / 2;
  const isWrap =
    isBackFromGood &&
    isUpperHalf &&
    !othersWentBack &&
    wrapped > 0 &&
    wrapped <= mostGrowth(perSecond, Math.max(source.at, at - longestPauseBeforeWrap), at);
  const isRestart = isBackFromGood && !isWrap && now <= mostGrowth(perSecond, source.at, at);
  const isAbsurd = !isWrap && !isRestart;
  if (!isAbsurd) source.before = undefined;
  else if (!source.isDoubtful) source.before = { high: source.high, at: source.at };
  const growthSince = isWrap ? wrapped : isRestart ? now : 0;
  Object.assign(source, { high: now, at: accountedUntil(source.at, growthSince, at, perSecond), isDoubtful: isAbsurd });
  return { growth: growthSince, isReset: !isWrap };
};

/** A reading to judge together with the others of its device. */
export interface Suspect {
  readonly source: CounterSource;
  readonly device: unknown;
  readonly reading: CounterReading;
}

/**
 * Judges simultaneous readings together, because they show whether a device restarted. Updates their sources and passes
 * each step to `take`.
 */
export const judgeTogether = <Each extends Suspect>(
  suspects: readonly Each[],
  take: (suspect: Each, step: CounterStep) => void,
): void => {
  const back = new Map<unknown, number>();
  for (const { source, device, reading } of suspects) {
    if (!source.isDoubtful && wentBack(source, reading)) back.set(device, (back.get(device) ?? 0) + 1);
  }
  for (const suspect of suspects) {
    take(suspect, judgeStep(suspect.source, suspect.reading, (back.get(suspect.device) ?? 0) > 1));
  }
};
