import { describe, expect, test } from 'vitest';
import { bounds } from '../../src/metrics/bounds.ts';
import { counter, gauge } from '../../src/metrics/descriptor.ts';
import { Families } from '../../src/metrics/families.ts';
import { Output, SeriesState } from '../../src/metrics/output.ts';
import type { SourceReading } from '../../src/metrics/sourced-counter.ts';

const events = counter('xen_events_total', {
  meaning: 'Events.',
  labels: ['domain'],
  source: 'here',
  wraps: 'u32',
  bounds: bounds.events,
});
const size = gauge('xen_size', { meaning: 'Size.', labels: ['domain'] });

/** A collector's series, scraped every 15 s. */
class Scrapes {
  readonly state = new SeriesState();
  #now = 0;

  /** Values of a scrape by metric and label. */
  scrape(collect: (out: Output) => void): Record<string, number> {
    const families = new Families();
    this.#now += 15;
    collect(new Output(this.state, families, this.#now));
    this.state.end(families);
    return Object.fromEntries(
      families
        .list()
        .flatMap(({ descriptor: { name }, samples }) =>
          samples.map(({ value, sharedLabels }) => [[name, ...Object.values(sharedLabels)].join(' '), value]),
        ),
    );
  }

  /** Total of a domain that these sources feed. */
  feed(...readings: SourceReading[]): number | undefined {
    const values = this.scrape((out) => {
      for (const reading of readings) out.counter(events, out.labels(events.labels, 'web'), reading);
    });
    return values['xen_events_total web'];
  }
}

test('a series begins at what its sources read and grows by what they grow by', () => {
  const scrapes = new Scrapes();
  expect(scrapes.feed({ source: 'q0', reads: 100 }, { source: 'q1', reads: 50 })).toBe(150);
  expect(scrapes.feed({ source: 'q0', reads: 110 }, { source: 'q1', reads: 50 })).toBe(160);
});

test('a source that goes away, restarts or is replaced does not take it down', () => {
  const scrapes = new Scrapes();
  scrapes.feed({ source: 'q0', reads: 100 }, { source: 'q1', reads: 50 });
  expect(scrapes.feed({ source: 'q0', reads: 100 })).toBe(150);
  expect(scrapes.feed({ source: 'q0', reads: 7 })).toBe(157);
  expect(scrapes.feed({ source: 'another', reads: 3 })).toBe(160);
  expect(scrapes.state.resets).toBe(1);
});

test('a reading that has the time of the last one is the same reading', () => {
  const scrapes = new Scrapes();
  scrapes.feed({ reads: 100, at: 1 });
  expect(scrapes.feed({ reads: 100, at: 1 })).toBe(100);
  expect(scrapes.feed({ reads: 100 + 5e6 * 30, at: 31 })).toBe(100 + 5e6 * 30);
});

test('bounds are those of one: of as many as there are where a reading is their sum', () => {
  const most = 5e6 * (15 + 5);
  const scrapes = new Scrapes();
  scrapes.feed({ reads: 0 });
  expect(scrapes.feed({ reads: 3 * most, count: 2 })).toBe(0);
  expect(scrapes.feed({ reads: 6 * most, count: 4 })).toBe(3 * most);
});

test('growth may have been counted on as many as there were before', () => {
  const scrapes = new Scrapes();
  scrapes.feed({ reads: 0, count: 16 });
  const most = 16 * 5e6 * (15 + 5);
  expect(scrapes.feed({ reads: most, count: 1 })).toBe(most);
  expect(scrapes.feed({ reads: 2 * most, count: 1 })).toBe(most);
});

test('growth may be that of the time since the last reading began', () => {
  const scrapes = new Scrapes();
  const growth = 5e6 * (9 + 5 + 5);
  scrapes.feed({ reads: 0, at: 9, took: 9 });
  expect(scrapes.feed({ reads: growth, at: 14, took: 0 })).toBe(growth);
  expect(scrapes.feed({ reads: 2 * growth, at: 19, took: 0 })).toBe(growth);
});

test('a time that is counted when it ends may be as long as the counter stood still', () => {
  const waits = counter('xen_waits_total', {
    meaning: 'Waits.',
    labels: [],
    source: 'here',
    bounds: bounds.threadWaitNanoseconds,
  });
  const scrapes = new Scrapes();
  const feed = (seconds: number) =>
    scrapes.scrape((out) => out.counter(waits, out.labels(waits.labels), { reads: seconds * 1e9 }))['xen_waits_total'];
  expect([0, 0, 0, 30, 30, 80].map(feed)).toEqual([0, 0, 0, 30e9, 30e9, 30e9]);
  expect(scrapes.state.resets).toBe(1);
});

describe('the sources of a device', () => {
  const rows = (...reads: number[]): SourceReading[] =>
    reads.map((each, i) => ({ source: `row ${i}`, device: 'vif0', reads: each }));

  test('that went back together have restarted, however close to 2^32 they were', () => {
    const scrapes = new Scrapes();
    const high = 2 ** 32 - 100;
    scrapes.feed(...rows(high, high, high, high));
    expect(scrapes.feed(...rows(5, 5, 5, 5))).toBe(4 * (high + 5));
    expect(scrapes.state.resets).toBe(4);
  });

  test('may be those of several metrics', () => {
    const drops = counter('xen_drops_total', {
      meaning: 'Drops.',
      labels: ['domain'],
      source: 'here',
      wraps: 'u32',
      bounds: bounds.events,
    });
    const scrapes = new Scrapes();
    const feed = (reads: number) =>
      scrapes.scrape((out) => {
        const labels = out.labels(events.labels, 'web');
        for (const each of [events, drops]) out.counter(each, labels, { source: 'row', device: 'vif0', reads });
      });
    const high = 2 ** 32 - 100;
    feed(high);
    expect(feed(5)).toEqual({ 'xen_events_total web': high + 5, 'xen_drops_total web': high + 5 });
    expect(scrapes.state.resets).toBe(2);
  });

  test('wrap one by one', () => {
    const scrapes = new Scrapes();
    scrapes.feed(...rows(2 ** 32 - 100, 7));
    expect(scrapes.feed(...rows(5, 9))).toBe(2 ** 32 + 5 + 9);
    expect(scrapes.state.resets).toBe(0);
  });
});

describe('a series without a source', () => {
  /** A source that read 100 and is then not read for this many scrapes, while another one is read in all or in none. */
  const left = (scrapesLeft: number, source?: string, isOtherRead = true): Scrapes => {
    const scrapes = new Scrapes();
    const of = source === undefined ? {} : { source };
    scrapes.feed({ ...of, reads: 100 });
    for (let i = 0; i < scrapesLeft; i += 1) {
      const values = scrapes.scrape((out) => {
        out.counter(events, out.labels(events.labels, 'web'), { ...of, reads: undefined });
        if (isOtherRead) out.counter(events, out.labels(events.labels, 'another'), { source: 'another', reads: 1 });
      });
      expect(values['xen_events_total web']).toBeUndefined();
    }
    return scrapes;
  };

  test.each([undefined, 'q0'])('is gone; its source (%s) goes on where it was when it is back', (source) => {
    expect(left(60, source).feed({ ...(source === undefined ? {} : { source }), reads: 103 })).toBe(103);
  });

  test('goes on also with another source', () => {
    expect(left(10, 'q0').feed({ source: 'of another domid', reads: 20 })).toBe(120);
  });

  test.each([undefined, 'q0'])('is not forgotten while nothing can be read (its source is %s)', (source) => {
    expect(left(200, source, false).feed({ source: 'of another domid', reads: 20 })).toBe(120);
  });

  test('begins at its first reading after long', () => {
    expect(left(61, 'q0').feed({ source: 'q0', reads: 103 })).toBe(103);
    expect(left(61, 'q0').feed({ source: 'of another domid', reads: 20 })).toBe(20);
  });
});

test('the unit is the metric’s; while it is unknown the series is kept back', () => {
  const scrapes = new Scrapes();
  expect(scrapes.feed({ reads: 500, unitsPer: 'unknown' })).toBeUndefined();
  expect(scrapes.feed({ reads: 750, unitsPer: 250 })).toBe(3);
});

test('a scrape that failed neither counts nor forgets what it had read', () => {
  const scrapes = new Scrapes();
  scrapes.feed({ source: 'q0', device: 'vif0', reads: 3e9 });
  const half = new Output(scrapes.state, new Families(), 30);
  half.counter(events, half.labels(events.labels, 'web'), { source: 'q0', device: 'vif0', reads: 5 });
  scrapes.state.abandon();
  expect(scrapes.feed({ source: 'q0', device: 'vif0', reads: 8 })).toBe(3e9 + 8);
});

test('families have the order in which they were first given, counters too', () => {
  const scrapes = new Scrapes();
  const values = scrapes.scrape((out) => {
    const labels = out.labels(['domain'], 'web');
    out.counter(events, labels, { reads: 1 });
    out.gauge(size, labels, 2);
  });
  expect(Object.keys(values)).toEqual(['xen_events_total web', 'xen_size web']);
});

test('HELP is made of the fields', () => {
  expect(events.help).toBe('Events. Source: here.');
  const full = gauge('xen_x', { meaning: 'X.', source: '/proc/x', versions: 'Linux 6.1', notes: 'root' });
  expect(full.help).toBe('X. Source: /proc/x (Linux 6.1; root).');
});

test('items have all their series or none, in their order, for as long as there is room', () => {
  const families = new Families(10);
  const out = new Output(new SeriesState(), families, 0);
  out.gauge(size, out.labels(size.labels, 'first'), 1);
  const add = (domain: string) =>
    ['', 'b', 'c'].forEach((each) => out.gauge(size, out.labels(size.labels, domain + each), 1));
  const steps = out.addWhole(['w', 'x', 'y', 'z'], (domain) => (domain === 'y' ? 4 : 3), add);
  let step = steps.next();
  while (!step.done) step = steps.next();
  expect(step.value).toEqual(['y', 'z']);
  expect({ series: families.series, dropped: families.dropped, room: out.room }).toEqual({
    series: 7,
    dropped: 7,
    room: 3,
  });
});
