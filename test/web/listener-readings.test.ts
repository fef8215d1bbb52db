import { describe, expect, test } from 'vitest';
import { metrics } from '../../src/collectors/listeners/metrics.ts';
import { Families, type Family } from '../../src/metrics/families.ts';
import { ListenerReadings } from '../../src/web/listener-readings.ts';

interface Listener {
  port: string;
  length: number;
  limit?: number;
  full?: number;
  drops?: number;
}

const page = (listeners: readonly Listener[]): readonly Family[] => {
  const out = new Families();
  for (const { port, length, limit, full, drops } of listeners) {
    const labels = { address: '0.0.0.0', port, family: 'ipv4', netns: '' };
    out.add(metrics.info, { ...labels, service: `service-${port}` }, 1);
    out.add(metrics.length, labels, length);
    out.add(metrics.limit, labels, limit);
    out.add(metrics.fullSeconds, labels, full);
    out.add(metrics.drops, labels, drops);
  }
  return out.list();
};

const readingsOf = (...pages: readonly (readonly Listener[])[]) => {
  const readings = new ListenerReadings();
  for (const [index, each] of pages.entries()) readings.take(page(each), index * 15_000);
  return readings.list;
};

describe('listeners', () => {
  test('are those of the last scrape, with what grew since the one before', () => {
    const readings = readingsOf(
      [{ port: '80', length: 0, limit: 8, full: 100, drops: 7 }],
      [{ port: '80', length: 9, limit: 8, full: 106, drops: 19 }],
    );
    expect(readings).toEqual([
      {
        address: '0.0.0.0',
        port: '80',
        netns: '',
        service: 'service-80',
        length: 9,
        limit: 8,
        fullRatio: 0.4,
        drops: 12,
      },
    ]);
  });

  test('the fullest first, then by port', () => {
    const before = ['22', '80', '443', '9'].map((port) => ({ port, length: 0, limit: 9, full: 0 }));
    const now = [
      { port: '443', length: 0, limit: 9, full: 0 },
      { port: '22', length: 0, limit: 9, full: 0 },
      { port: '80', length: 5, limit: 9, full: 0 },
      { port: '9', length: 0, limit: 9, full: 15 },
    ];
    expect(readingsOf(before, now).map(({ port }) => port)).toEqual(['9', '80', '22', '443']);
  });

  test('have no growth at the first scrape, after a restart of the exporter, or where the kernel has no number', () => {
    const [first] = readingsOf([{ port: '80', length: 1, limit: 8, full: 3, drops: 2 }]);
    expect(first).not.toHaveProperty('fullRatio');
    const [restarted] = readingsOf(
      [{ port: '80', length: 1, limit: 8, full: 30, drops: 20 }],
      [{ port: '80', length: 1, limit: 8, full: 3, drops: 2 }],
    );
    expect([restarted!.fullRatio, restarted!.drops]).toEqual([undefined, undefined]);
    const [fromProc] = readingsOf([{ port: '80', length: 1 }], [{ port: '80', length: 1 }]);
    expect(Object.keys(fromProc!)).toEqual(['address', 'port', 'netns', 'service', 'length']);
  });

  test('those that are gone are left out', () => {
    expect(readingsOf([{ port: '80', length: 1 }], [])).toEqual([]);
  });
});
