import { expect, test } from 'vitest';
import { unseenOf, type SeenGuest } from '../../src/diagnosis/unseen.ts';
import { alertsWithoutData } from '../../src/pack/alerts-without-data.ts';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import { parseRule } from '../../src/promql/parse.ts';

const everyMetric = alerts.flatMap(({ needs }) => needs.flatMap((either) => either.split('|')));
const blindWithout = (...lacking: string[]) =>
  alertsWithoutData(new Set(everyMetric.filter((metric) => !lacking.includes(metric))));

const seen = (name: string, blind = blindWithout()): SeenGuest => ({
  name,
  seenBy: { guest: true, host: true },
  blind,
});
const whats = (guests: readonly SeenGuest[], hasHost = true): string[] =>
  unseenOf({ rules: [], observedMs: 30_000, guests, hasHost }).map(({ what, why }) => `${what}: ${why}`);

const cutOff = 'XenVifDisconnected: it sees only vifs that were connected when the samples began';

test('with both exporters and all metrics only changes of the past are not seen', () => {
  expect(whats([seen('a')])).toEqual([cutOff]);
});

test('an alert that lacks metrics of several guests has one line', () => {
  const blind = blindWithout('xen_domain_grant_frames');
  expect(whats([seen('a', blind), seen('b', blind), seen('c')])).toEqual([
    'XenGrantFramesNearLimit for a, b: its exporters do not export xen_domain_grant_frames',
    cutOff,
  ]);
});

test('a side without exporter has one line, and its alerts none', () => {
  const blind = blindWithout(...everyMetric);
  const [without, , ...more] = whats([{ name: 'a', seenBy: { guest: false, host: true }, blind }]);
  expect(without).toBe('inside a: no exporter in this guest was read');
  expect(more.some((line) => line.startsWith('XenSynQueueOverflow'))).toBe(false);
  expect(more.some((line) => line.startsWith('XenVifDropping for a'))).toBe(true);
  expect(whats([{ name: 'b', seenBy: { guest: true, host: false }, blind: blindWithout() }])).toEqual([
    'hops on the host of b: no exporter of this host was read',
    cutOff,
  ]);
  expect(whats([{ name: 'b', seenBy: { guest: true, host: false }, blind: blindWithout() }], false)).toEqual([
    'hops on the host: no exporter of a Dom0 or driver domain was read',
  ]);
});

test('an alert needs the history of the rows that it reads, until it is there', () => {
  const rules = [
    { record: 'old', expr: 'a offset 1h' },
    { record: 'older', expr: 'old offset 30m' },
    { record: 'recent', expr: 'a offset 2m' },
    { alert: 'Old', expr: 'older > 1' },
    { alert: 'Recent', expr: 'recent > 1' },
  ].map(parseRule);
  const of = (minutes: number) => unseenOf({ rules, observedMs: minutes * 60_000, guests: [], hasHost: true });
  expect(of(2)[0]).toEqual({ what: 'Old', why: 'it compares with 90 minutes ago, and the samples go back 120 s' });
  expect(of(90).map(({ what }) => what)).toEqual(['XenVifDisconnected']);
});
