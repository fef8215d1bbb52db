import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls a condition until it holds (any value but false, null and undefined) and returns its value. Throws at the
 * deadline.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 10 }: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`${what}: not so within ${timeoutMs} ms`);
    await delay(intervalMs);
  }
}
