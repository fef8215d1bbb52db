import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import { toolSays } from '../../tools/lib/debian.ts';
import { project } from '../../tools/lib/project.ts';

const config = join(project, 'alertmanager/alertmanager.yml');

const amtool = async (...args: string[]): Promise<string> => (await toolSays('amtool', args)).stdout;

test('amtool has nothing to say', async () => {
  expect(await amtool('check-config', config)).toContain('SUCCESS');
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
      // What wakes people is harm.
      if (severity === 'critical') expect(kind).toBe('symptom');
    },
  );
});
