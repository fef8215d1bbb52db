import { expect, test, vi } from 'vitest';
import { Families } from '../../src/metrics/families.ts';
import { startBackground } from '../../src/scrape/background.ts';
import { selfMetrics } from '../../src/scrape/self.ts';
import { fakeCollector, fakeMetric, fakeRun } from '../support/fake-collector.ts';
import { recordingLog } from '../support/recording-log.ts';

test('a failure is logged once, and so is the recovery', () => {
  const log = recordingLog();
  let error: Error | undefined;
  const definition = fakeCollector('flaky', {
    collect: () => {
      if (error) throw error;
    },
  });
  const run = fakeRun(definition, { log });
  for (const next of [undefined, new Error('first'), new Error('first'), new Error('second'), undefined, undefined]) {
    error = next;
    run.collect(Infinity, new Families());
  }
  expect(log.lines).toEqual(['error | Collector failed | flaky | first', 'info | Collector recovered | flaky']);
});

test('a collector that fails half way gives nothing, not half', () => {
  const definition = fakeCollector('half', {
    collect: ({ out }) => {
      out.add(fakeMetric('half'), {}, 1);
      throw new Error('half way');
    },
  });
  expect(fakeRun(definition).collect(Infinity, new Families())).toEqual([]);
});

test('dropped series are counted over scrapes', () => {
  const definition = fakeCollector('many', {
    collect: ({ out }) => {
      for (let i = 0; i < 13; i += 1) out.add(fakeMetric('many'), { i: String(i) } as never, i);
    },
  });
  const run = fakeRun(definition);
  const dropped = () => {
    const own = new Families();
    run.collect(Infinity, own);
    const families = new Map(own.list().map(({ descriptor, samples }) => [descriptor.name, samples[0]!.value]));
    return [families.get('xen_exporter_collector_series'), families.get('xen_exporter_series_dropped_total')];
  };
  expect([dropped(), dropped()]).toEqual([
    [10, 3],
    [10, 6],
  ]);
});

test('background work fails its collector while it fails, without stopping', async () => {
  vi.useFakeTimers();
  let outcome: Error | undefined = new Error('ss: exit status 1');
  const task = {
    intervalSeconds: 5,
    run: () => (outcome ? Promise.reject(outcome) : Promise.resolve()),
  };
  const run = fakeRun(fakeCollector('listeners', { background: task }));
  const success = () => {
    const own = new Families();
    run.collect(Infinity, own);
    return own.list().find(({ descriptor }) => descriptor.name === 'xen_exporter_collector_success')!.samples[0]!.value;
  };
  run.start();
  await vi.advanceTimersByTimeAsync(0);
  const failing = success();
  outcome = undefined;
  await vi.advanceTimersByTimeAsync(5000);
  expect([failing, success()]).toEqual([0, 1]);
  run.stop();
  vi.useRealTimers();
});

test('background work never runs twice at once and ends with its disposal', async () => {
  vi.useFakeTimers();
  let started = 0;
  const finish: (() => void)[] = [];
  const background = startBackground({
    intervalSeconds: 1,
    run: () => {
      started += 1;
      return new Promise<void>((resolve) => finish.push(resolve));
    },
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toBe(1);
  finish.shift()!();
  await vi.advanceTimersByTimeAsync(1000);
  expect(started).toBe(2);
  background[Symbol.dispose]();
  finish.shift()!();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toBe(2);
  vi.useRealTimers();
});

test('every self-metric has a HELP and a name of the family', () => {
  for (const { name, help } of selfMetrics) {
    expect(name).toMatch(/^xen_exporter_/);
    expect(help).toMatch(/\.$/);
  }
});
