import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { alertNamed, alerts } from '../../src/pack/alerts/alerts.ts';
import { causesOfHosts } from '../../src/pack/alerts/page-alerts.ts';
import { toolSays } from '../../tools/lib/debian.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';

const config = join(project, 'alertmanager/alertmanager.yml');

const amtool = async (...args: string[]): Promise<string> => (await toolSays('amtool', args)).stdout;

test('amtool has nothing to say', async () => {
  expect(await amtool('check-config', config)).toContain('SUCCESS');
});

test('nor of the receivers for Slack, e-mail and PagerDuty', async () => {
  using folder = new TempTree();
  const [rules] = readFileSync(config, 'utf8').split(/^receivers:$/m);
  folder.write({
    'alertmanager.yml': rules! + readFileSync(join(project, 'alertmanager/receivers.yml'), 'utf8'),
    'xen.tmpl': readFileSync(join(project, 'alertmanager/xen.tmpl'), 'utf8'),
  });
  expect(await amtool('check-config', folder.path('alertmanager.yml'))).toContain('SUCCESS');
});

test('a host that harms guests mutes the causes that belong to it', () => {
  const { inhibit_rules: rules } = load(readFileSync(config, 'utf8')) as {
    inhibit_rules: { source_matchers: string[]; target_matchers: string[]; equal: string[] }[];
  };
  const [rule] = rules.filter(({ source_matchers: [source] }) => source === 'alertname="XenHostHarmsGuests"');
  expect(rule).toEqual({
    source_matchers: ['alertname="XenHostHarmsGuests"', 'host!=""'],
    target_matchers: [`alertname=~"${['XenGuestHarmedByHost', ...causesOfHosts].join('|')}"`, 'host!=""'],
    equal: ['host'],
  });
  for (const name of causesOfHosts) expect(alertNamed(name).kind).toBe('cause');
});

describe('routes', () => {
  test.each(alerts.map(({ name, kind, levels: [{ severity }], about }) => [name, kind, severity, about] as const))(
    '%s',
    async (name, kind, severity, about) => {
      const receiver = { critical: 'xen-page', warning: 'xen-ticket', info: 'xen-info', none: 'xen-watchdog' }[
        severity
      ];
      const labels = [`alertname=${name}`, `kind=${kind}`, `severity=${severity}`, 'host=dom0', 'domain=web'];
      if (about === 'guest') labels.push('uuid=6c9ee902-e8b7-484d-b5a1-502d89e835de');
      expect((await amtool('config', 'routes', 'test', `--config.file=${config}`, ...labels)).trim()).toBe(receiver);
      // Only harm may page.
      if (severity === 'critical') expect(kind).toBe('symptom');
    },
  );
});
