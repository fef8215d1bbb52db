import { beforeEach, describe, expect, test } from 'vitest';
import { guest } from '../../src/collectors/guest.ts';
import { metrics as listenerMetrics } from '../../src/collectors/listeners/metrics.ts';
import { tcp } from '../../src/collectors/tcp.ts';
import { gauge } from '../../src/metrics/descriptor.ts';
import { Families, type Family } from '../../src/metrics/families.ts';
import { metrics } from '../../src/scrape/exporter-metrics.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';
import { LiveDiagnosis } from '../../src/web/live-diagnosis.ts';

const [guestInfo] = guest.metrics;
const overflows = tcp.metrics.find(({ name }) => name === 'xen_tcp_listen_overflows_total')!;
const uuid = '6c9ee902-e8b7-484d-b5a1-502d89e835de';
const listener = { address: '0.0.0.0', port: '80', family: 'ipv4', netns: '' };

let now: number;
let log: ReturnType<typeof recordingLog>;
let live: LiveDiagnosis;
beforeEach(() => {
  now = 1_800_000_000_000;
  log = recordingLog();
  live = new LiveDiagnosis(log, () => now);
});

/**
 * Families of a guest whose accept queue was full for so many seconds in all, with an overflow in each.
 */
const ofGuest = (fullSeconds: number): readonly Family[] => {
  const out = new Families();
  out.add(guestInfo!, { uuid, type: 'pv', role: 'guest' }, 1);
  out.add(listenerMetrics.length, listener, 9);
  out.add(listenerMetrics.fullSeconds, listener, fullSeconds);
  out.add(overflows, { netns: '' }, fullSeconds);
  return out.list();
};

/** Scrapes every 5 s, while the queue is full all the time. */
const scrape = (times: number): void => {
  for (let n = 0; n < times; n += 1) {
    now += 5000;
    live.observe(ofGuest(now / 1000));
  }
};

const inMemory = (): number[] => {
  const out = new Families();
  live.addTo(out);
  return [metrics.diagnosisSeries, metrics.diagnosisSamples].map(
    (metric) => out.list().find(({ descriptor }) => descriptor === metric)!.samples[0]!.value,
  );
};

test('nothing is kept before somebody looks', () => {
  scrape(3);
  expect(inMemory()).toEqual([0, 0]);
});

describe('after the first look', () => {
  test('there is a verdict once two scrapes have come', async () => {
    expect(await live.look()).toEqual({ scrapes: 0, since: now });
    const since = now;
    scrape(1);
    expect(await live.look()).toEqual({ scrapes: 1, since });
    scrape(1);
    expect((await live.look()).verdict).toMatchObject({ time: now / 1000, guests: [{ uuid }] });
  });

  test('a full accept queue is critical, and its listener is listed', async () => {
    await live.look();
    scrape(12);
    const { verdict, listeners } = await live.look();
    expect(verdict).toMatchObject({
      status: 'critical',
      guests: [{ symptoms: [{ alert: 'XenAcceptQueueOverflow' }] }],
    });
    expect(listeners).toMatchObject([{ port: '80', length: 9, fullRatio: 1 }]);
  });

  test('a host has no list of listeners', async () => {
    await live.look();
    const out = new Families();
    out.add(gauge('xen_domain_info', { meaning: 'A domain.' }), {}, 1);
    for (let n = 0; n < 2; n += 1) live.observe([...ofGuest(0), ...out.list()]);
    expect(await live.look()).not.toHaveProperty('listeners');
  });

  test('two looks at once share what is kept', async () => {
    const [one, other] = await Promise.all([live.look(), live.look()]);
    expect(one).toEqual(other);
    scrape(2);
    expect((await live.look()).scrapes).toBe(2);
  });

  test('series and samples in memory are counted, and forgotten 15 minutes after the last look', async () => {
    await live.look();
    scrape(4);
    const [series, samples] = inMemory();
    expect(series).toBeGreaterThan(3);
    expect(samples).toBeGreaterThan(series!);
    now += 15 * 60_000;
    scrape(1);
    expect(inMemory()).toEqual([0, 0]);
    expect(await live.look()).toMatchObject({ scrapes: 0, since: now });
  });

  test('a scrape that cannot be judged costs the exporter nothing but a line in its log', async () => {
    await live.look();
    const broken = {
      descriptor: gauge('xen_broken', { meaning: 'Broken.' }),
      get samples(): never {
        throw new Error('no samples');
      },
    };
    live.observe([broken]);
    expect(log.lines).toEqual(['error | Cannot diagnose what a scrape brought | no samples']);
    expect((await live.look()).scrapes).toBe(0);
  });
});
