import { expect, test } from 'vitest';
import { watchOwnProcess } from '../../src/host/own-process.ts';
import { until } from '../support/until.ts';

test('a reading of this process is of its size', () => {
  const own = watchOwnProcess()();
  expect(Math.abs(own.startTimeSeconds + process.uptime() - Date.now() / 1e3)).toBeLessThan(1);
  expect(own.residentBytes).toBeGreaterThan(own.heapUsedBytes);
  expect(own.heapBytes).toBeGreaterThan(own.heapUsedBytes);
  expect(own.cpuSeconds).toBeGreaterThan(0);
  expect(own.openDescriptors).toBeGreaterThan(2);
  expect(own.maxDescriptors).toBeGreaterThan(own.openDescriptors);
});

test('a blocked event loop shows as delay, and no longer in the reading after it', async () => {
  const read = watchOwnProcess();
  const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  const blocked = await until('the delay to show', async () => {
    await new Promise((resolve) => setTimeout(resolve, 120));
    block();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { max } = read().eventLoopDelaySeconds;
    return max > 0.2 ? max : undefined;
  });
  expect(blocked).toBeLessThan(5);
  const after = read().eventLoopDelaySeconds;
  expect(after.max).toBeLessThan(0.2);
});
