import { expect, test } from 'vitest';
import { ownProcess } from '../../src/host/own-process.ts';
import { until } from '../../tools/lib/until.ts';

test('a reading of this process is of its size', () => {
  const own = ownProcess()();
  expect(Math.abs(own.startTimeSeconds + process.uptime() - Date.now() / 1e3)).toBeLessThan(5);
  expect(own.residentBytes).toBeGreaterThan(own.heapUsedBytes);
  expect(own.heapBytes).toBeGreaterThan(own.heapUsedBytes);
  expect(own.cpuSeconds).toBeGreaterThan(0);
  expect(own.openDescriptors).toBeGreaterThan(2);
  expect(own.maxDescriptors).toBeGreaterThan(own.openDescriptors);
});

test('the event loop is active while it works and not while it waits', async () => {
  const read = ownProcess();
  const activeSeconds = async (during: () => unknown): Promise<number> => {
    const before = read().eventLoopActiveSeconds;
    await during();
    return read().eventLoopActiveSeconds - before;
  };
  const wait = () => new Promise((resolve) => setTimeout(resolve, 200));
  const work = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  expect(await activeSeconds(work)).toBeGreaterThan(0.19);
  // Other processes may delay this one's wait.
  await until('a wait without activity', async () => (await activeSeconds(wait)) < 0.1);
});
