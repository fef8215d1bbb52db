import { Unavailable, type Availability } from '../../src/host/unavailable.ts';
import { expect, test, vi } from 'vitest';
import { Families } from '../../src/metrics/families.ts';
import { Background } from '../../src/scrape/background.ts';
import { exporterMetrics } from '../../src/scrape/exporter-metrics.ts';
import { fakeCollector, fakeMetric, fakeRun } from '../support/fake-collector.ts';
import { fakeClock, fakeHost } from '../../tools/lib/fake-host.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';
import type { CollectorRun } from '../../src/scrape/collector-run.ts';

const collectOnce = (run: CollectorRun, own = new Families()) => run.collect(Infinity, own, () => undefined);

const { clock } = fakeHost('/nonexistent');

test('a failure is logged once, and so is the recovery', async () => {
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
    await collectOnce(run);
  }
  expect(log.lines).toEqual(['error | Collector failed | flaky | first', 'info | Collector recovered | flaky']);
});

test('one that fails and recovers all the time does not fill the log, and its state is logged in the end', async () => {
  const log = recordingLog();
  const host = fakeHost('/nonexistent');
  const fast = fakeClock();
  let isBroken = true;
  const definition = fakeCollector('flaky', {
    collect: () => {
      if (isBroken) throw new Error('broken');
    },
  });
  const run = fakeRun(definition, { log, host: { ...host, clock: fast } });
  for (let i = 0; i < 101; i += 1) {
    await collectOnce(run);
    isBroken = !isBroken;
  }
  expect(log.lines).toHaveLength(10);
  fast.advance(61);
  isBroken = true;
  await collectOnce(run);
  expect(log.lines.slice(10)).toEqual(['error | Collector failed | flaky | broken']);
});

test('a collector that fails half way gives nothing, not half', async () => {
  const definition = fakeCollector('half', {
    collect: ({ out }) => {
      out.gauge(fakeMetric('half'), {}, 1);
      throw new Error('half way');
    },
  });
  expect(await collectOnce(fakeRun(definition))).toEqual([]);
});

test('dropped series are counted over scrapes', async () => {
  const definition = fakeCollector('many', {
    collect: ({ out }) => {
      for (let i = 0; i < 13; i += 1) out.gauge(fakeMetric('many'), { i: String(i) } as never, i);
    },
  });
  const run = fakeRun(definition);
  const dropped = async () => {
    const own = new Families();
    await collectOnce(run, own);
    const families = new Map(own.list().map(({ descriptor, samples }) => [descriptor.name, samples[0]!.value]));
    return [families.get('xen_exporter_collector_series'), families.get('xen_exporter_series_dropped_total')];
  };
  expect([await dropped(), await dropped()]).toEqual([
    [10, 3],
    [10, 6],
  ]);
});

test('background work fails its collector while it fails, without stopping', async () => {
  vi.useFakeTimers();
  const background = new Background(clock);
  let outcome: Error | undefined = new Error('ss: exit status 1');
  const task = {
    every: { seconds: 5 },
    run: () => (outcome ? Promise.reject(outcome) : Promise.resolve()),
  };
  const run = fakeRun(fakeCollector('listeners', { background: [task] }), { background });
  const success = async () => {
    const own = new Families();
    await collectOnce(run, own);
    return own.list().find(({ descriptor }) => descriptor.name === 'xen_exporter_collector_success')!.samples[0]!.value;
  };
  run.start();
  await vi.advanceTimersByTimeAsync(0);
  const failing = await success();
  outcome = undefined;
  await vi.advanceTimersByTimeAsync(5000);
  expect([failing, await success()]).toEqual([0, 1]);
  background.stop();
  vi.useRealTimers();
});

test('a background reading that is too old to serve fails its collector, though no run of it failed', async () => {
  const background = new Background(clock);
  let staleness: Error | undefined = new Error('xl info: expected a reading at most 900 s old, found one 901 s old');
  const task = {
    every: { seconds: 5 },
    run: () => Promise.resolve(),
    get staleness() {
      return staleness;
    },
  };
  const log = recordingLog();
  const run = fakeRun(fakeCollector('host', { background: [task] }), { background, log });
  await collectOnce(run);
  expect(run.status().error).toBe(staleness.message);
  staleness = undefined;
  await collectOnce(run);
  expect(run.status().error).toBeUndefined();
  expect(log.lines).toEqual([
    'error | Collector failed | host | xl info: expected a reading at most 900 s old, found one 901 s old',
    'info | Collector recovered | host',
  ]);
});

test('background work never runs twice at once and ends with its disposal', async () => {
  vi.useFakeTimers();
  let started = 0;
  const finish: (() => void)[] = [];
  const background = new Background(clock);
  const task = {
    every: { seconds: 1 },
    run: () => {
      started += 1;
      return new Promise<void>((resolve) => finish.push(resolve));
    },
  };
  background.start(task);
  background.start(task);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toBe(1);
  finish.shift()!();
  await vi.advanceTimersByTimeAsync(1000);
  expect(started).toBe(2);
  background.stop();
  finish.shift()!();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toBe(2);
  vi.useRealTimers();
});

test('a task that is wanted at once runs at once, or once more when it has ended', async () => {
  vi.useFakeTimers();
  let started = 0;
  let runNow = (): void => {};
  const finish: (() => void)[] = [];
  const background = new Background(clock);
  background.start({
    every: { seconds: 60 },
    run: () => {
      started += 1;
      return new Promise<void>((resolve) => finish.push(resolve));
    },
    onStart: (now) => (runNow = now),
  });
  runNow();
  runNow();
  expect(started).toBe(1);
  finish.shift()!();
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toBe(2);
  finish.shift()!();
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toBe(2);
  runNow();
  expect(started).toBe(3);
  background.stop();
  vi.useRealTimers();
});

test('a task with a cron pattern runs at the start, and then by the pattern with a delay of its own', async () => {
  vi.useFakeTimers({ now: new Date('2026-01-01T00:01:00Z') });
  let started = 0;
  const background = new Background(clock);
  background.start({
    every: { cron: '*/5 * * * *' },
    run: () => {
      started += 1;
      return Promise.resolve();
    },
  });
  expect(started).toBe(1);
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  expect(started).toBe(1);
  await vi.advanceTimersByTimeAsync(90_000);
  expect(started).toBe(2);
  background.stop();
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(started).toBe(2);
  vi.useRealTimers();
});

test('who asks while a collector is at work gets the same, and others get their turn between its steps', async () => {
  let collected = 0;
  const turns: number[] = [];
  const definition = fakeCollector('long', {
    *collect({ out }) {
      collected += 1;
      for (let step = 0; step < 3; step += 1) {
        turns.push(step);
        yield;
      }
      out.gauge(fakeMetric('long'), {}, 1);
    },
  });
  const run = fakeRun(definition);
  const yieldToEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pages = [
    run.collect(Infinity, new Families(), yieldToEventLoop),
    run.collect(Infinity, new Families(), yieldToEventLoop),
  ];
  expect(turns).toEqual([0]);
  const [first, second] = await Promise.all(pages);
  expect([collected, turns]).toEqual([1, [0, 1, 2]]);
  expect(first).toBe(second);
  expect(first![0]!.samples).toHaveLength(1);
});

test('a sampler does not run where there is nothing to sample', async () => {
  vi.useFakeTimers();
  let availability: Availability = new Unavailable('nothing here');
  let samples = 0;
  const definition = fakeCollector('sampled', {
    availability: () => availability,
    sampler: { name: 'sampled', hertz: 10, cpuBudget: 1, sample: () => (samples += 1) > 0 },
  });
  const run = fakeRun(definition);
  run.start();
  await vi.advanceTimersByTimeAsync(5000);
  expect(samples).toBe(0);
  availability = true;
  await collectOnce(run);
  await vi.advanceTimersByTimeAsync(5000);
  expect(samples).toBeGreaterThan(10);
  run.stop();
  const last = samples;
  await vi.advanceTimersByTimeAsync(5000);
  expect(samples).toBe(last);
  vi.useRealTimers();
});

test('every self-metric has a HELP and a name of the family', () => {
  for (const { name, help } of exporterMetrics) {
    expect(name).toMatch(/^xen_exporter_/);
    expect(help).toMatch(/\.$/);
  }
});

test('items that cannot be read are counted, and the landing page gets the first error; if none can be read, the collector fails', async () => {
  let readable = 1;
  let broken = 2;
  const definition = fakeCollector('items', {
    collect: ({ out }) => {
      for (let i = 0; i < broken; i += 1) out.skip(new Error(`/sys/item${i}: EACCES`));
      for (let i = 0; i < readable; i += 1) out.gauge(fakeMetric('items'), {}, 1);
    },
    limitations: () => 'rings: no debugfs',
  });
  const run = fakeRun(definition);
  const collected = async () => {
    const own = new Families();
    await collectOnce(run, own);
    const values = new Map(own.list().map(({ descriptor, samples }) => [descriptor.name, samples[0]!.value]));
    return ['success', 'skipped_items'].map((name) => values.get(`xen_exporter_collector_${name}`));
  };
  expect(await collected()).toEqual([1, 2]);
  expect(run.status().limitations).toBe('rings: no debugfs; 2 unreadable items, the first /sys/item0: EACCES');
  readable = 0;
  expect(await collected()).toEqual([0, 2]);
  expect(run.status().error).toBe('/sys/item0: EACCES');
  [readable, broken] = [1, 0];
  expect(await collected()).toEqual([1, 0]);
  expect(run.status().limitations).toBe('rings: no debugfs');
});

test('while it waits for the names of domains, no series is no failure', async () => {
  vi.useFakeTimers();
  const background = new Background(clock);
  let finish = (): void => {};
  const names = { every: { seconds: 5 }, run: () => new Promise<void>((resolve) => (finish = resolve)) };
  const log = recordingLog();
  const definition = fakeCollector('netback', {
    collect: ({ out }) => out.skip(new Error('/proc/1/stat: EACCES')),
    sharedTasks: [names],
  });
  const run = fakeRun(definition, { background, log });
  await collectOnce(run);
  run.start();
  await collectOnce(run);
  expect([run.status().error, log.lines]).toEqual([undefined, []]);
  finish();
  await vi.advanceTimersByTimeAsync(0);
  await collectOnce(run);
  expect(run.status().error).toBe('/proc/1/stat: EACCES');
  background.stop();
  vi.useRealTimers();
});

test('a question for availability that throws makes the collector absent, and the page is served', async () => {
  const definition = fakeCollector('netfront', {
    availability: () => {
      throw new Error('/sys/bus/xen/devices: EACCES');
    },
  });
  const run = fakeRun(definition);
  expect(await collectOnce(run)).toEqual([]);
  expect(run.status().availability).toEqual(new Unavailable('/sys/bus/xen/devices: EACCES'));
});
