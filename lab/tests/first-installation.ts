import { describe, expect, test } from 'vitest';
import { metricsOf } from '../harness/exporter.ts';
import { DEFAULTS, type Installed } from '../harness/installed.ts';
import { tell } from '../harness/tell.ts';

const LONG = { timeout: 900_000 };
const FOLDER = '/etc/xen-exporter';
const CHECK = '/usr/lib/xen-exporter/check-units';
const KEPT = '/run/lab/defaults';
const MACHINES = ['dom0', 'domu1'] as const;

/** A fresh installation exposes nothing until its administrator opens it. The following tests find it open. */
export function describeFirstInstallation(machines: () => Record<(typeof MACHINES)[number], Installed>): void {
  test.for(MACHINES)('%s: nobody else reaches it until LISTEN is changed', LONG, async (name) => {
    const installed = machines()[name];
    const answers = (address: string): Promise<boolean> =>
      installed.works(`curl -sf http://${address}:28697/-/healthy`);
    expect(await answers('127.0.0.1')).toBe(true);
    expect(await answers(installed.machine.ip)).toBe(false);
    await expect(metricsOf(installed.machine)).rejects.toThrow();
    await installed.open();
    expect(await answers(installed.machine.ip)).toBe(true);
    expect((await metricsOf(installed.machine)).samples('xen_guest_info')).toHaveLength(1);
  });

  describe('check-units', () => {
    /** Output and exit status of the check with these flags and files. */
    const checked = async (installed: Installed, script: string): Promise<{ isWell: boolean; said: string }> => {
      const said = await installed.run(`cp ${DEFAULTS} ${KEPT}; mkdir -p ${FOLDER}
        (${script}
        ) && if ${CHECK} 2>&1; then echo 'all is well'; fi
        cp ${KEPT} ${DEFAULTS}; rm -rf ${FOLDER} /etc/systemd/system/xen-exporter.service.d; systemctl daemon-reload`);
      tell(`${installed.machine.name}, check-units: ${said.trim()}`);
      return { isWell: said.includes('all is well'), said };
    };
    const setArgs = (args: string): string => `sed -i 's,^ARGS=.*,ARGS="${args}",' ${DEFAULTS}`;
    const WEB_CONFIG = `--web.config.file=${FOLDER}/web.yml`;
    const writeWebConfig = (owner: string, mode: string): string =>
      `echo 'http_server_config: {http2: true}' >${FOLDER}/web.yml; chown ${owner} ${FOLDER}/web.yml; chmod ${mode} ${FOLDER}/web.yml`;

    test.for(MACHINES)('%s: finds what a restart would find, and touches no unit that runs', LONG, async (name) => {
      const installed = machines()[name];
      const pids = () => Promise.all(installed.units.map((unit) => installed.pid(unit)));
      const before = await pids();

      expect(await checked(installed, ':')).toMatchObject({ isWell: true });
      const wrong = await checked(installed, setArgs('--no-such-flag'));
      expect(wrong.isWell).toBe(false);
      expect(wrong.said).toContain('--no-such-flag');
      // Readable for root, but not for the unit's user.
      const hidden = await checked(installed, `${setArgs(WEB_CONFIG)}; ${writeWebConfig('root:root', '0600')}`);
      expect(hidden.isWell).toBe(false);
      expect(hidden.said).toContain('EACCES');
      const readable = `${setArgs(WEB_CONFIG)}; ${writeWebConfig('root:xen-exporter', '0640')}`;
      expect(await checked(installed, readable)).toMatchObject({ isWell: true });

      expect(await pids()).toEqual(before);
      expect(await installed.isActive()).toBe(true);
      expect(await installed.run('ls /run/systemd/system /run | grep xen-exporter-check; :')).toBe('');
    });

    test('domu1: a credential of a drop-in', LONG, async () => {
      const { domu1 } = machines();
      const unit = 'xen-exporter.service';
      const dropIn = `mkdir -p /etc/systemd/system/${unit}.d
        printf '[Service]\\nLoadCredential=web.yml:${FOLDER}/web.yml\\n' >/etc/systemd/system/${unit}.d/web.conf`;
      const flags = setArgs(`--web.config.file=/run/credentials/${unit}/web.yml`);
      const owned = writeWebConfig('root:root', '0600');
      expect(await checked(domu1, `${flags}; ${owned}; ${dropIn}`)).toMatchObject({ isWell: true });
      expect(await checked(domu1, `${flags}; ${owned}`)).toMatchObject({ isWell: false });
    });
  });
}
