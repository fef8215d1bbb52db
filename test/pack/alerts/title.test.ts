import { expect, test } from 'vitest';
import { filledCommand, stepOf } from '../../../src/pack/alerts/alert.ts';
import { alertNamed, alerts } from '../../../src/pack/alerts/alerts.ts';
import { titleInWords } from '../../../src/pack/alerts/title.ts';

const about = { domain: 'domu1', instance: '10.0.0.2:28697', netns: '', host: '10.0.0.1:28697' };
const titleOf = (name: string, changes: Readonly<Record<string, string>> = {}): string =>
  titleInWords(alertNamed(name), { ...about, ...changes });

test('a title names the guest, its network namespace and its host', () => {
  expect(titleOf('XenAcceptQueueOverflow')).toBe('domu1 on 10.0.0.1 refuses connections');
  expect(titleOf('XenAcceptQueueOverflow', { netns: 'blue' })).toBe('domu1 (blue) on 10.0.0.1 refuses connections');
  expect(titleOf('XenAcceptQueueOverflow', { host: 'unknown' })).toBe('domu1 refuses connections');
  expect(titleOf('XenListenBacklogTooSmall', { netns: 'blue' })).toBe(
    'The listen backlog of a server in domu1 (blue) is too small',
  );
});

test('a title names the host or the exporter', () => {
  expect(titleOf('XenDom0Starved')).toBe('Dom0 of 10.0.0.1:28697 waits for physical CPUs, and so do all its guests');
  expect(titleOf('XenUplinkDropping')).toBe('10.0.0.1:28697 loses packets before they reach a guest');
  expect(titleOf('XenExporterDown')).toBe('The exporter on 10.0.0.2:28697 cannot be scraped');
  expect(titleOf('XenExporterCollectorFailing', { collector: 'xenbus' })).toBe(
    'The collector xenbus fails on 10.0.0.2:28697',
  );
});

test('names are text, neither patterns nor templates', () => {
  expect(titleOf('XenAcceptQueueOverflow', { domain: '{{ $labels.host }}', host: '' })).toBe(
    '{{ $labels.host }} refuses connections',
  );
  expect(titleOf('XenVcpuStarved', { domain: '$&' })).toBe('The vCPUs of $& wait for a physical CPU');
});

test('the titles of all alerts can be filled in, but for one that asks for other guests', () => {
  const own = alerts.filter((alert) => titleInWords(alert, about) === alert.name).map(({ name }) => name);
  expect(own).toEqual(['XenHostHarmsGuests']);
});

test('the commands of all alerts can be filled in', () => {
  for (const { command } of alerts) expect(filledCommand(command, about)).not.toContain('{{');
  expect(filledCommand(alertNamed('XenVifDisconnected').command, about)).toBe('dom0# xl network-list domu1');
  expect(filledCommand(alertNamed('XenExporterDown').command, { ...about, instance: 'a b' })).toBe(
    'curl -sS http://<INSTANCE>/-/healthy',
  );
});

test('a command has the machine to type it on', () => {
  expect(stepOf('dom0# xl list')).toEqual({ on: 'dom0', command: 'xl list' });
  expect(stepOf('guest# ss -ltn | grep "dom0# "')).toEqual({ on: 'guest', command: 'ss -ltn | grep "dom0# "' });
  expect(stepOf('curl a')).toEqual({ on: 'prometheus', command: 'curl a' });
});
