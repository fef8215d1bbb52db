// Go's time.ParseDuration: decimal numbers, each with its unit.
const secondsOf = { ns: 1e-9, us: 1e-6, µs: 1e-6, μs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 } as const;
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/**
 * Parses a Go duration (`1.5s`, `1m30s`) or a whole number of nanoseconds into seconds; undefined for anything else and
 * for negative values.
 */
export const parseDuration = (value: unknown): number | undefined => {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value * 1e-9 : undefined;
  if (typeof value !== 'string') return undefined;
  if (value === '0') return 0;
  let seconds = 0;
  part.lastIndex = 0;
  for (let end = 0; end < value.length; end = part.lastIndex) {
    const [, number, unit] = part.exec(value) ?? [];
    if (unit === undefined) return undefined;
    seconds += Number(number) * secondsOf[unit as keyof typeof secondsOf];
  }
  return value === '' ? undefined : seconds;
};
