import { expect, test } from 'vitest';
import type { CompiledPack } from '../../src/diagnosis/compiled-pack.ts';
import { ExpositionError } from '../../src/diagnosis/exposition.ts';
import { Watch } from '../../src/diagnosis/watch.ts';
import { parseRule, type RuleText } from '../../src/promql/parse.ts';

const identity = { record: 'uuid:xen_guest_identity:info', expr: 'max by (uuid, domain, host) (identity)' };
const overflow = (expr: string): RuleText => ({
  alert: 'XenAcceptQueueOverflow',
  expr,
  for: '30s',
  keep_firing_for: '5m',
  labels: { severity: 'critical', kind: 'symptom' },
});
const packOf = (...rules: readonly RuleText[]): CompiledPack => ({ rules: rules.map(parseRule), measures: {} });

const guest = { instance: 'guest:1', isHost: false };
const labels = '{uuid="u",domain="domu1",host="dom0:1"}';

/** Watches one guest, of which `pageOf` has the page after so many seconds, every 2 s. */
const watched = (
  pack: CompiledPack,
  seconds: number,
  pageOf: (second: number) => string | undefined,
  options: { windowSeconds?: number; maxSeries?: number } = {},
): Watch => {
  const watch = new Watch(pack, options);
  for (let second = 0; second <= seconds; second += 2) {
    const time = 1_800_000_000_000 + second * 1000;
    const page = pageOf(second);
    if (page === undefined) watch.lose(guest, time);
    else watch.observe(guest, page, time);
    watch.step(time);
  }
  return watch;
};

/** The value of the one symptom. */
const valueIn = (watch: Watch): number | undefined => watch.verdict().guests[0]?.symptoms[0]?.value;

test('ranges shrink to the time since the first sample, which they take in', () => {
  const watch = watched(
    packOf(identity, overflow(`rate(a_total[5m])`)),
    20,
    (second) => `identity${labels} 1\na_total${labels} ${100 + 3 * second}\n`,
  );
  expect(valueIn(watch)).toBeCloseTo(3, 2);
  expect(watch.verdict().windowSeconds).toBe(20);
});

test('ranges look back no longer than the window', () => {
  const page = (second: number): string => `identity${labels} 1\na_total${labels} ${Math.min(second, 20)}\n`;
  const pack = packOf(identity, overflow('rate(a_total[5m]) > 0'));
  expect(valueIn(watched(pack, 60, page))).toBeCloseTo(20 / 60, 2);
  const watch = watched(pack, 60, page, { windowSeconds: 30 });
  expect(valueIn(watch)).toBeUndefined();
  expect(watch.verdict().windowSeconds).toBe(30);
});

test.each([
  ['30s', undefined, 4],
  ['2m', undefined, 12],
  ['10m', undefined, 20],
  ['10m', 30, 20],
  ['10m', 15, 10],
])('an alert that waits %s with a window of %s s fires after %d s', (wait, windowSeconds, seconds) => {
  const pack = packOf(identity, { ...overflow('a > 5'), for: wait });
  const page = `identity${labels} 1\na${labels} 6\n`;
  const options = windowSeconds === undefined ? {} : { windowSeconds };
  expect(valueIn(watched(pack, seconds - 2, () => page, options))).toBeUndefined();
  expect(valueIn(watched(pack, seconds, () => page, options))).toBe(6);
});

test('an alert ends as soon as its expression has no result', () => {
  const pack = packOf(identity, overflow('a > 5'));
  const page = (value: number): string => `identity${labels} 1\na${labels} ${value}\n`;
  expect(valueIn(watched(pack, 20, (second) => page(second < 20 ? 6 : 1)))).toBeUndefined();
});

test('a target that no longer answers is down, and its series end', () => {
  const down: RuleText = {
    alert: 'XenExporterDown',
    expr: 'up{job="xen"} == 0',
    labels: { severity: 'warning', kind: 'meta' },
  };
  const watch = watched(packOf(identity, down), 4, (second) => (second < 4 ? `identity${labels} 1\n` : undefined));
  const { guests, exporters, status } = watch.verdict();
  expect(guests).toEqual([]);
  expect(exporters.map(({ alert, instance }) => [alert, instance])).toEqual([['XenExporterDown', 'guest:1']]);
  expect(status).toBe('warning');
});

test('a page that is none is an error, and nothing of it is taken', () => {
  const watch = new Watch(packOf(identity));
  expect(() => watch.observe(guest, `identity${labels} 1\n<html>\n`, 1_800_000_000_000)).toThrow(ExpositionError);
  watch.step(1_800_000_000_000);
  expect(watch.size).toEqual({ series: 0, samples: 0 });
});

test('a rule that fails costs itself alone, and is reported', () => {
  const watch = watched(
    packOf({ record: 'r', expr: 'a * on () a' }, identity, overflow('max by (uuid) (a)')),
    10,
    () => `identity${labels} 1\na${labels} 1\na{uuid="v"} 2\n`,
  );
  expect(valueIn(watch)).toBe(1);
  expect(watch.verdict().unseen).toContainEqual({
    what: 'r',
    why: 'many-to-many matching not allowed: matching labels must be unique on one side',
  });
});

test('the store is bounded, its size is known, and what is left out is reported', () => {
  const pack = packOf(identity, overflow('a > 0'));
  const page = (count: number): string =>
    `identity${labels} 1\n${Array.from({ length: count }, (_, index) => `a{n="${index}"} 1\n`).join('')}`;
  const watch = watched(pack, 2, () => page(3), { maxSeries: 100 });
  // The page has 4 series; the rules record an identity and 3 alerts.
  expect(watch.size).toEqual({ series: 8, samples: 16 });
  expect(watch.verdict().unseen).not.toContainEqual({ what: 'some series', why: 'there are more than 100' });
  const full = watched(pack, 2, () => page(1000), { maxSeries: 100 });
  expect(full.size.series).toBe(100);
  expect(full.verdict().unseen).toContainEqual({ what: 'some series', why: 'there are more than 100' });
});

test('samples behind the window are forgotten', () => {
  const page = (second: number): string => `a_total${labels} ${second}\n`;
  const samples = (windowSeconds?: number): number =>
    watched(packOf(overflow('rate(a_total[5m]) > 99')), 900, page, windowSeconds === undefined ? {} : { windowSeconds })
      .size.samples;
  // A scrape every 2 s. The store forgets once a quarter of the samples is too old.
  expect(samples()).toBeGreaterThanOrEqual(150);
  expect(samples(30)).toBeGreaterThanOrEqual(30);
  expect(samples(30)).toBeLessThanOrEqual(41);
});

test('what the caller could not read stands first', () => {
  const watch = watched(packOf(identity), 2, () => `identity${labels} 1\n`);
  const own = { what: 'dom1:1', why: 'connection refused' };
  expect(watch.verdict([own]).unseen[0]).toEqual(own);
});
