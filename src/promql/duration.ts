const pattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const unitMs = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];

/** Milliseconds of a duration such as `1h30m`. Undefined if the text is no duration with units. */
export const durationMs = (text: string): number | undefined => {
  const counts = pattern.exec(text)?.slice(1);
  if (text === '' || !counts) return undefined;
  return counts.reduce((sum, count, index) => sum + Number(count ?? 0) * unitMs[index]!, 0);
};
