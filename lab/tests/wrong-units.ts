import { describe, expect, test } from 'vitest';
import { until } from '../../tools/lib/until.ts';
import { metricsOf } from '../harness/exporter.ts';
import type { Installed } from '../harness/installed.ts';
import { tell } from '../harness/tell.ts';

const LONG = { timeout: 600_000 };
const MARK = '/etc/xen-exporter/driver-domain';
const WEB = 'xen-exporter';
const OF_HOSTS = ['xen-exporter-helper', 'xen-exporter-dom0'] as const;
/** Units that do not belong on a machine. */
const WRONG = {
  dom0: ['xen-exporter.service', 'xen-exporter.socket'],
  domu1: ['xen-exporter-dom0.service', 'xen-exporter-helper.service', 'xen-exporter-dom0.socket'],
} as const;

/** Starting or restarting a unit that does not belong on the machine. */
export function describeWrongUnits(machines: () => Record<'dom0' | 'domu1', Installed>): void {
  describe('restarting the wrong unit', () => {
    test.for(['dom0', 'domu1'] as const)('%s: it refuses, and the right ones go on', LONG, async (name) => {
      const installed = machines()[name];
      const pids = await Promise.all(installed.units.map((unit) => installed.pid(unit)));
      for (const unit of WRONG[name]) {
        const said = await installed.run(`systemctl restart ${unit} 2>&1 && echo 'exit status 0'; :`);
        tell(`${name}, systemctl restart ${unit}: ${said.trim()}`);
        expect(said, unit).toContain(`Assertion failed on job for ${unit}`);
        expect(said, unit).not.toContain('exit status 0');
        expect((await installed.run(`systemctl is-active ${unit}; :`)).trim(), unit).toBe('inactive');
      }
      expect(await installed.isActive()).toBe(true);
      expect(await Promise.all(installed.units.map((unit) => installed.pid(unit)))).toEqual(pids);
    });

    test('domu1: a guest that is marked as a driver domain has the units of hosts, and no others', LONG, async () => {
      const { domu1 } = machines();
      await domu1.run(`mkdir -p ${MARK.replace(/\/[^/]*$/, '')} && touch ${MARK} && systemctl stop ${WEB}`);
      try {
        expect(await domu1.works(`systemctl start ${WEB}`)).toBe(false);
        await domu1.run(`systemctl start ${OF_HOSTS.join(' ')}`);
        const page = await until(
          'a page with the helper',
          async () => {
            const each = await metricsOf(domu1.machine).catch(() => undefined);
            return each?.value('xen_exporter_helper_up') === 1 && each;
          },
          { timeoutMs: 180_000, intervalMs: 1000 },
        );
        expect(page.samples('xen_guest_info')[0]?.labels).toMatchObject({ role: 'guest' });
      } finally {
        await domu1.run(`systemctl stop ${OF_HOSTS.join(' ')}; rm -r ${MARK.replace(/\/[^/]*$/, '')}
          systemctl start ${WEB}`);
      }
    });
  });
}
