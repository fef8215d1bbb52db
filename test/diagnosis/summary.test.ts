import { expect, test } from 'vitest';
import { summaryOf } from '../../src/diagnosis/summary.ts';
import { cause, guestVerdict, idleGuest, near, symptom, verdict } from './verdicts.ts';

const host = { instance: 'dom0:28697', status: 'ok', symptoms: [], causes: [] } as const;
const healthy = { status: 'ok', guests: [idleGuest], hosts: [host], exporters: [] } as const;
const summary = (changes: Partial<typeof verdict>): string => summaryOf({ ...healthy, ...changes }, 30);

test('a guest in trouble is named with its strongest cause, and others are counted', () => {
  expect(summary({ status: 'critical', guests: [guestVerdict, idleGuest] })).toBe(verdict.summary);
  expect(summary({ status: 'critical', guests: [guestVerdict, guestVerdict, guestVerdict] })).toBe(
    `${verdict.summary} 2 more guests in trouble.`,
  );
});

test('a cause that is only near its threshold is no cause of trouble', () => {
  expect(summary({ status: 'critical', guests: [{ ...guestVerdict, causes: [near] }] })).toBe(
    'domu1 on dom0 refuses connections: no cause found.',
  );
});

test('a guest without symptom is at a limit', () => {
  expect(summary({ status: 'warning', guests: [{ ...guestVerdict, status: 'warning', symptoms: [] }] })).toBe(
    'domu1 is at a limit: XenVcpuStarved (56 % of wanted CPU time is stolen, limit 30 %).',
  );
});

test('a host at a limit comes after harm to a guest, and before a guest at a limit', () => {
  const starved = { ...host, status: 'warning', causes: [{ ...cause, alert: 'XenDom0Starved' }] } as const;
  const ofHost = 'Host dom0:28697 is at a limit: XenDom0Starved (56 % of wanted CPU time is stolen, limit 30 %).';
  const atLimit = { ...guestVerdict, status: 'warning', symptoms: [] } as const;
  expect(summary({ status: 'warning', hosts: [starved] })).toBe(ofHost);
  expect(summary({ status: 'warning', hosts: [starved], guests: [atLimit] })).toBe(ofHost);
  expect(summary({ status: 'critical', hosts: [starved], guests: [guestVerdict] })).toBe(verdict.summary);
  expect(summary({ status: 'critical', hosts: [starved], guests: [{ ...atLimit, status: 'critical' }] })).toMatch(
    /^domu1 is at a limit: /,
  );
});

test('a host that harms several guests comes first', () => {
  const harms = { ...symptom, alert: 'XenHostHarmsGuests', value: 3 };
  const harmful = { ...host, status: 'critical', symptoms: [harms], causes: [cause] } as const;
  expect(summary({ status: 'critical', hosts: [harmful], guests: [guestVerdict] })).toBe(
    'Host dom0:28697 harms 3 guests: XenVcpuStarved (56 % of wanted CPU time is stolen, limit 30 %).',
  );
});

test('an exporter in trouble harms no guest', () => {
  const exporter = { ...symptom, alert: 'XenExporterDown', evidence: 'it is down', instance: 'a:1' };
  expect(summary({ status: 'warning', exporters: [exporter] })).toBe(
    'No guest is in trouble, but an exporter is: XenExporterDown (it is down).',
  );
});

test('without trouble it says what was watched, and what is nearest to its limit', () => {
  expect(summary({})).toBe('No guest is in trouble: 1 guest on 1 host watched for 30 s.');
  expect(summary({ guests: [idleGuest, { ...idleGuest, causes: [near] }], hosts: [] })).toBe(
    'No guest is in trouble: 2 guests watched for 30 s. Nearest to a limit: domu2, XenVifDropping (0.6 %).',
  );
  const first = { ...idleGuest, name: 'domu1', causes: [near] };
  expect(summary({ guests: [first, { ...idleGuest, causes: [cause] }] })).toBe(
    'No guest is in trouble: 2 guests on 1 host watched for 30 s. Over a limit, but no alert fires: domu2, XenVcpuStarved (56 % of wanted CPU time is stolen, limit 30 %).',
  );
});

test('without guests and hosts nothing was judged', () => {
  expect(summary({ status: 'unknown', guests: [], hosts: [] })).toBe(
    'Nothing could be judged: no exporter of a guest or host was read.',
  );
});
