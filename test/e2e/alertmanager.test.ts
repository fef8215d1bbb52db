import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alertNamed, alerts } from '../../src/pack/alerts/alerts.ts';
import { startAlertmanager, type Alertmanager } from '../../tools/lib/alertmanager.ts';
import { until } from '../../tools/lib/until.ts';
import { project } from '../../tools/lib/project.ts';

const config = join(project, 'alertmanager/alertmanager.yml');

/** An alert of the pack as Prometheus sends it. */
const firing = (alertname: string, labels: Record<string, string>) => {
  const {
    kind,
    levels: [{ severity }],
  } = alertNamed(alertname);
  return { labels: { alertname, kind, severity, ...labels } };
};

/** The labels of a guest. */
const guest = (host: string, domain: string) => ({ host, domain, uuid: `${domain} of ${host}` });

const received = ({ notifications }: Alertmanager): string[] =>
  notifications
    .map(({ receiver, alerts: all }) => {
      const names = all.map(({ labels }) => `${labels['alertname']} of ${labels['domain']} on ${labels['host']}`);
      return `${receiver}: ${names.sort().join(', ')}`;
    })
    .sort();

test('a guest that suffers makes one notification, and mutes nobody else', async () => {
  await using alertmanager = await startAlertmanager(config);
  const web = guest('dom0', 'web');
  const namesake = guest('dom1', 'web');
  await alertmanager.post([
    firing('XenAcceptQueueOverflow', web),
    firing('XenAcceptThroughputCollapse', web),
    firing('XenAcceptQueueNearlyFull', web),
    firing('XenListenBacklogTooSmall', web),
    firing('XenCreditExhaustion', web),
    firing('XenCreditExhaustion', namesake),
    // Without identity, neither may mute the other.
    firing('XenAcceptQueueOverflow', {}),
    firing('XenVcpuStarved', {}),
  ]);
  const expected = [
    'page: XenAcceptQueueOverflow of undefined on undefined',
    'page: XenAcceptQueueOverflow of web on dom0',
    'ticket: XenCreditExhaustion of web on dom1',
    'ticket: XenVcpuStarved of undefined on undefined',
  ];
  await until('all notifications', () => alertmanager.notifications.length >= expected.length);
  expect(received(alertmanager)).toEqual(expected);
  const muted = (await alertmanager.suppressed()).map(({ alertname, host }) => `${alertname} ${host}`).sort();
  expect(muted).toEqual([
    'XenAcceptQueueNearlyFull dom0',
    'XenAcceptThroughputCollapse dom0',
    'XenCreditExhaustion dom0',
    'XenListenBacklogTooSmall dom0',
  ]);
});

test('a guest that is renamed, and then moves, stays in its group, and mutes its causes', async () => {
  await using alertmanager = await startAlertmanager(config);
  const web = guest('dom0', 'web');
  await alertmanager.post([firing('XenAcceptQueueOverflow', web)]);
  await until('the page', () => alertmanager.notifications.length >= 1);
  const later = [
    { ...web, domain: 'shop' },
    { ...web, domain: 'shop', host: 'dom1' },
  ];
  await alertmanager.post(
    later.flatMap((each) => [firing('XenAcceptQueueOverflow', each), firing('XenVcpuStarved', each)]),
  );
  await until('all its alerts', () => alertmanager.notifications.some(({ alerts: all }) => all.length === 3));
  const groups = new Set(alertmanager.notifications.map(({ groupLabels }) => JSON.stringify(groupLabels)));
  expect([...groups]).toEqual([JSON.stringify({ uuid: web.uuid })]);
  expect((await alertmanager.suppressed()).map(({ alertname }) => alertname)).toEqual([
    'XenVcpuStarved',
    'XenVcpuStarved',
  ]);
});

test('a host that is down mutes the exporters of its guests, and a guest’s exporter nobody', async () => {
  await using alertmanager = await startAlertmanager(config);
  await alertmanager.post([
    firing('XenExporterDown', { host: 'dom0', domain: 'Domain-0', instance: 'dom0' }),
    firing('XenExporterDown', { host: 'dom0', domain: 'web', instance: 'web' }),
    firing('XenExporterDown', { host: 'dom1', domain: 'mail', instance: 'mail' }),
    firing('XenExporterDown', { host: 'dom1', domain: 'db', instance: 'db' }),
  ]);
  await until('all notifications', () => alertmanager.notifications.length >= 3);
  expect(received(alertmanager)).toEqual([
    'ticket: XenExporterDown of Domain-0 on dom0',
    'ticket: XenExporterDown of db on dom1',
    'ticket: XenExporterDown of mail on dom1',
  ]);
});

test('the watchdog goes to a receiver of its own, and mutes nobody', async () => {
  await using alertmanager = await startAlertmanager(config);
  await alertmanager.post([
    firing('XenWatchdog', {}),
    firing('XenExporterHelperDown', { host: 'dom0', domain: 'Domain-0' }),
  ]);
  await until('both', () => alertmanager.watchdog.length > 0 && alertmanager.notifications.length > 0);
  expect(alertmanager.watchdog[0]).toMatchObject({ status: 'firing', alerts: [{ labels: { severity: 'none' } }] });
  expect(received(alertmanager)).toEqual(['ticket: XenExporterHelperDown of Domain-0 on dom0']);
});

test('a helper that does not answer mutes the collectors that fail beside it, and no other exporter', async () => {
  await using alertmanager = await startAlertmanager(config);
  const dom0 = { host: 'dom0', domain: 'Domain-0', instance: 'dom0:28697' };
  await alertmanager.post([
    firing('XenExporterHelperDown', dom0),
    firing('XenExporterCollectorFailing', { ...dom0, collector: 'domains' }),
    firing('XenExporterCollectorFailing', { host: 'dom0', domain: 'web', instance: 'web:28697', collector: 'tcp' }),
    // Without an instance, neither may mute the other.
    firing('XenExporterHelperDown', { host: 'dom1' }),
    firing('XenExporterCollectorFailing', { host: 'dom2', collector: 'domains' }),
  ]);
  const expected = [
    'ticket: XenExporterCollectorFailing of undefined on dom2',
    'ticket: XenExporterCollectorFailing of web on dom0',
    'ticket: XenExporterHelperDown of Domain-0 on dom0',
    'ticket: XenExporterHelperDown of undefined on dom1',
  ];
  await until('all notifications', () => alertmanager.notifications.length >= expected.length);
  expect(received(alertmanager)).toEqual(expected);
  const muted = (await alertmanager.suppressed()).map(({ alertname, instance }) => `${alertname} ${instance}`);
  expect(muted).toEqual(['XenExporterCollectorFailing dom0:28697']);
});

test('a critical alert mutes what it is as a warning, of its own guest alone', async () => {
  await using alertmanager = await startAlertmanager(config);
  const web = guest('dom0', 'web');
  await alertmanager.post([
    firing('XenVifDropping', web),
    firing('XenVifDropping', { ...web, severity: 'critical' }),
    firing('XenVifDropping', guest('dom0', 'mail')),
    firing('XenVifDropping', {}),
  ]);
  await until('all notifications', () => alertmanager.notifications.length >= 3);
  expect(received(alertmanager)).toEqual([
    'page: XenVifDropping of web on dom0',
    'ticket: XenVifDropping of mail on dom0',
    'ticket: XenVifDropping of undefined on undefined',
  ]);
});

test('a host that harms its guests makes one notification; a guest with a cause of its own still pages', async () => {
  await using alertmanager = await startAlertmanager(config);
  const host = { host: 'dom0', instance: 'dom0' };
  const harmed = Array.from({ length: 20 }, (_, index) => guest('dom0', `web${index}`));
  await alertmanager.post([
    // In the order in which the rules fire.
    ...[...harmed, guest('dom0', 'mail')].map((each) => firing('XenAcceptQueueOverflow', each)),
    firing('XenHostHarmsGuests', host),
    ...harmed.map((each) => firing('XenGuestHarmedByHost', each)),
    ...harmed.map((each) => firing('XenVcpuStarved', each)),
    ...harmed.map((each) => firing('XenCauseChanged', { ...each, cause: 'XenDom0Starved' })),
    firing('XenDom0Starved', host),
    firing('XenVcpuStarved', guest('dom0', 'idle')),
    // An unrelated alert of this host, and one of another host.
    firing('XenVifDisconnected', guest('dom0', 'idle')),
    firing('XenVcpuStarved', guest('dom1', 'db')),
    firing('XenDom0Starved', { host: 'dom1', instance: 'dom1' }),
    // Without identity, neither may mute the other.
    firing('XenGuestHarmedByHost', { uuid: 'of no host' }),
    firing('XenAcceptQueueOverflow', { uuid: 'of no host' }),
  ]);
  const expected = [
    'info: XenGuestHarmedByHost of undefined on undefined',
    'page: XenAcceptQueueOverflow of mail on dom0',
    'page: XenAcceptQueueOverflow of undefined on undefined',
    'page: XenHostHarmsGuests of undefined on dom0',
    'ticket: XenDom0Starved of undefined on dom1',
    'ticket: XenVcpuStarved of db on dom1',
    'ticket: XenVifDisconnected of idle on dom0',
  ];
  await until('all notifications', () => alertmanager.notifications.length >= expected.length);
  expect(received(alertmanager)).toEqual(expected);
});

test('a changed cause updates the page of its guest, each time', async () => {
  await using alertmanager = await startAlertmanager(config);
  const web = guest('dom0', 'web');
  const page = firing('XenAcceptQueueOverflow', web);
  const changed = (cause: string) => firing('XenCauseChanged', { ...web, cause });
  const named = (): string[] =>
    alertmanager.notifications.map(({ alerts: all }) =>
      all
        .map(({ status, labels }) => [status, labels['alertname'], labels['cause']].filter(Boolean).join(' '))
        .join(', '),
    );
  await alertmanager.post([page]);
  await until('the page', () => named().length === 1);
  // A changed annotation alone causes no notification.
  await alertmanager.post([{ ...page, annotations: { cause: 'XenVcpuStarved' } }]);
  await alertmanager.post([page, changed('XenVcpuStarved')]);
  await until('the update', () => named().length === 2);
  const ended = { ...changed('XenVcpuStarved'), endsAt: new Date().toISOString() };
  await alertmanager.post([page, ended, changed('XenListenBacklogTooSmall')]);
  await until('the next update', () => named().length === 3);
  expect(named()).toEqual([
    'firing XenAcceptQueueOverflow',
    'firing XenAcceptQueueOverflow, firing XenCauseChanged XenVcpuStarved',
    'firing XenAcceptQueueOverflow, firing XenCauseChanged XenListenBacklogTooSmall, resolved XenCauseChanged XenVcpuStarved',
  ]);
  const groups = new Set(alertmanager.notifications.map(({ groupLabels }) => JSON.stringify(groupLabels)));
  expect([...groups]).toEqual([JSON.stringify({ uuid: web.uuid })]);
});

test('every guest with a symptom makes one notification, from two Prometheus replicas too', async () => {
  await using alertmanager = await startAlertmanager(config);
  const guests = ['dom0', 'dom1'].flatMap((host) => ['web', 'mail', 'db'].map((domain) => guest(host, domain)));
  // Without the marker alert of harmed guests, which mutes their pages.
  const ofGuest = alerts.filter(
    ({ name, kind, about }) => kind !== 'meta' && about === 'guest' && name !== 'XenGuestHarmedByHost',
  );
  const all = guests.flatMap((guest) => ofGuest.map(({ name }) => firing(name, guest)));
  await alertmanager.post(all);
  await alertmanager.post(all.map((alert) => ({ ...alert, generatorURL: 'http://the-other-replica/' })));
  await until('all notifications', () => alertmanager.notifications.length >= guests.length);
  // None of them is repeated by the time at which a later alert is notified.
  const late = guest('dom2', 'late');
  await alertmanager.post([firing('XenAcceptQueueOverflow', late)]);
  await until('the late one', () =>
    alertmanager.notifications.some(({ groupLabels }) => groupLabels['uuid'] === late.uuid),
  );
  const notified = alertmanager.notifications.map(({ receiver, groupLabels }) => `${receiver} ${groupLabels['uuid']}`);
  expect(notified.sort()).toEqual([...guests, late].map(({ uuid }) => `page ${uuid}`).sort());
});
