import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { until } from '../../tools/lib/until.ts';
import {
  EXPORTER_PID_FILE,
  metricsOf,
  startExporter,
  startProgram,
  stopExporter,
  stopProgram,
} from '../harness/exporter.ts';
import { failing, isWhole } from '../harness/pages.ts';
import type { Stage } from '../harness/stage.ts';
import { tell } from '../harness/tell.ts';

const SOCKET = '/run/lab/helper/helper.sock';
const HELPER_PID_FILE = '/run/lab/helper.pid';
/** A user and group without any other owner. */
const ID = 65_534;
/** As in systemd/: root without any capability, with the exporter's group; and a user without privileges. */
const NO_CAPABILITIES = '--inh-caps=-all --bounding-set=-all --no-new-privs --clear-groups';
const AS_HELPER = `setpriv ${NO_CAPABILITIES} --regid=${ID}`;
const AS_EXPORTER = `setpriv ${NO_CAPABILITIES} --reuid=${ID} --regid=${ID}`;

/** Commands of the list in src/host/helper/requests.ts, with a domain that always exists and a short window. */
export const HELPED_COMMANDS = [
  'xl list -v',
  'xl list -l',
  'xl info',
  'xl vcpu-list',
  'xl cpupool-list',
  'xl pci-assignable-list',
  'xen-diag gnttab_query_size 0',
  '$(ls /usr/lib/xen-*/bin/lsevtchn) 0',
  'xentrace -D -e 0x00021000 -T 1 /dev/stdout',
  'xentrace -X -D -T 1 /dev/null',
];
/**
 * Runs one of them and also fails if it cannot write its locks: xl list -l then prints an empty list and exits with 0.
 */
export const withItsLocks = (command: string): string =>
  `said=$({ ${command} >/dev/null; } 2>&1) && [[ $said != *"Read-only file system"* ]]`;

const FILES = ['/sys/kernel/debug/xen-netback/*/io_ring_q0', '/proc/timer_list'];
/** Files that need no root. */
const OPEN_FILES = [
  '/proc/interrupts',
  '/proc/stat',
  '/proc/$(pgrep -o guest-rx)/schedstat',
  '/sys/bus/xen-backend/devices/vif-*/xenbus/events',
  '/sys/bus/xen-backend/devices/vbd-*/statistics/rd_req',
  '/sys/class/net/vif1.0/carrier',
];
const DEVICES = ['privcmd', 'hypercall', 'evtchn', 'xenbus', 'gntdev', 'gntalloc', 'xenbus_backend'];

/** Names and labels of a Dom0 exporter's series, without its self-metrics and without metrics that need two samples. */
const seriesOf = (page: Exposition): string[] =>
  [...page.families.keys()]
    .filter((name) => name.startsWith('xen_') && !/^xen_(exporter|listener)|netback_.*_seconds_total$/.test(name))
    .flatMap((name) => page.samples(name))
    .map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
    .sort();

/**
 * Finds by trial which readings in Dom0 need which privilege, and tests the exporter with a helper that has no more
 * than that.
 */
export function describePrivileges(stage: () => Stage): void {
  describe('privileges', () => {
    const dom0 = () => stage().lab.dom0;
    const run = (script: string, timeoutMs = 120_000) => dom0().run(script, { timeoutMs });
    const works = (script: string) => dom0().succeeds(`${script} >/dev/null 2>&1`, 120_000);
    const startHelper = async (): Promise<void> => {
      await run(`mkdir -p -m 750 ${SOCKET.replace(/\/[^/]*$/, '')} && chgrp ${ID} ${SOCKET.replace(/\/[^/]*$/, '')}`);
      await startProgram(dom0(), HELPER_PID_FILE, {
        flags: `helper --helper.socket=${SOCKET} --collector.runstate`,
        through: `unshare -n ${AS_HELPER}`,
      });
      await until('the helper to listen', () => works(`[ -S ${SOCKET} ]`), { timeoutMs: 60_000, intervalMs: 200 });
    };
    const startWithHelper = (flags = '', settings = {}) =>
      startExporter(dom0(), {
        flags: `--privileged-reads=helper --helper.socket=${SOCKET} ${flags}`,
        settings,
        through: AS_EXPORTER,
      });
    const pageWith = (what: string, condition: (page: Exposition) => boolean, timeoutMs = 180_000) =>
      until(
        what,
        async () => {
          const page = await metricsOf(dom0());
          return condition(page) && page;
        },
        { timeoutMs, intervalMs: 1000 },
      );

    describe('by trial', () => {
      test('root without a capability can read everything, another user none of it', { timeout: 600_000 }, async () => {
        const rows: string[] = [];
        for (const command of [...HELPED_COMMANDS, ...FILES.map((file) => `cat ${file}`)]) {
          const answers = [await works(`${AS_HELPER} ${command}`), await works(`${AS_EXPORTER} ${command}`)];
          rows.push(`${command}: root without capabilities ${String(answers[0])}, user ${ID} ${String(answers[1])}`);
          expect.soft(answers, rows.at(-1)).toEqual([true, false]);
        }
        for (const file of OPEN_FILES) {
          const answer = await works(`${AS_EXPORTER} cat ${file}`);
          rows.push(`cat ${file}: user ${ID} ${String(answer)}`);
          expect.soft(answer, rows.at(-1)).toBe(true);
        }
        tell(rows.join('\n'));
      });

      test('which devices each command needs: those of the unit, no other', { timeout: 1_200_000 }, async () => {
        const needed = new Set<string>();
        for (const device of DEVICES) {
          if (!(await works(`[ -e /dev/xen/${device} ]`))) continue;
          for (const command of HELPED_COMMANDS) {
            // In a private mount namespace, replaces the device by one that does not answer.
            const hidden = `unshare -m sh -c 'mount --bind /dev/null /dev/xen/${device} && exec ${AS_HELPER} ${command}'`;
            if (await works(hidden)) continue;
            needed.add(device);
            tell(`${command} needs /dev/xen/${device}`);
          }
        }
        expect(['privcmd', 'hypercall', 'evtchn', 'xenbus']).toEqual(expect.arrayContaining([...needed]));
        expect([...needed]).toContain('privcmd');
      });

      test('which folders each command writes to: those of the unit, no other', { timeout: 600_000 }, async () => {
        const readOnly = (writable: string, command: string): string =>
          `unshare -m sh -c 'mkdir -p ${writable} && mount --bind ${writable} ${writable} && mount -o remount,bind,ro / && mount -o remount,bind,ro /run && exec ${AS_HELPER} ${command}'`;
        const writing: string[] = [];
        for (const command of HELPED_COMMANDS) {
          const isEnough = await works(withItsLocks(readOnly('/var/lib/xen', command)));
          const withNothing = await works(withItsLocks(readOnly('/mnt', command)));
          if (!withNothing) writing.push(command);
          tell(`${command}, all read-only: ${String(withNothing)}; /var/lib/xen writable: ${String(isEnough)}`);
          expect.soft(isEnough, command).toBe(true);
        }
        expect(writing).toEqual(['xl list -l']);
      });
    });

    describe('the exporter beside its helper', () => {
      let alone: string[];
      beforeAll(async () => {
        await stopExporter(dom0());
        await startExporter(dom0());
        alone = seriesOf(await pageWith('everything, as root', isWhole));
        await stopExporter(dom0());
        await startHelper();
        await startWithHelper();
      }, 600_000);
      afterAll(async () => {
        await stopExporter(dom0());
        await stopProgram(dom0(), HELPER_PID_FILE, 'SIGTERM');
        await startExporter(dom0());
      }, 300_000);

      test('says all that root says', { timeout: 300_000 }, async () => {
        const page = await pageWith('everything, by the helper', isWhole);
        expect(seriesOf(page)).toEqual(alone);
        expect(failing(page)).toEqual([]);
        const memory = ['process_resident_memory_bytes', 'xen_exporter_helper_resident_memory_bytes'].map((name) =>
          Math.round(page.value(name)! / 2 ** 20),
        );
        tell(`resident: exporter ${memory[0]} MiB, helper ${memory[1]} MiB`);
      });

      test('has no privilege, and starts no program', async () => {
        const status = await run(`cat /proc/$(cat ${EXPORTER_PID_FILE})/status`);
        expect(status).toMatch(new RegExp(`^Uid:\t${ID}\t${ID}\t${ID}\t${ID}$`, 'm'));
        for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
          expect(status).toContain(`${set}:\t0000000000000000`);
        expect(status).toContain('Seccomp:\t2');
        expect(await works(`${AS_EXPORTER} dd if=/dev/xen/privcmd count=0`)).toBe(false);
        expect(await works(`${AS_EXPORTER} xl info`)).toBe(false);
        const opened = await run(`ls -l /proc/$(cat ${EXPORTER_PID_FILE})/fd`);
        expect(opened).not.toContain('/dev/xen');
      });

      test('the helper has no capability and no network', async () => {
        const status = await run(`cat /proc/$(cat ${HELPER_PID_FILE})/status`);
        for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
          expect(status).toContain(`${set}:\t0000000000000000`);
        const links = await run(`nsenter -t $(cat ${HELPER_PID_FILE}) -n ip -o link`);
        expect(links.trim().split('\n')).toHaveLength(1);
        expect(links).toMatch(/lo: <LOOPBACK>/);
        expect(await works(`nsenter -t $(cat ${HELPER_PID_FILE}) -n ping -c 1 -w 5 10.0.2.15`)).toBe(false);
      });

      test('only the group can ask, and only for what is on the list', async () => {
        const ask = (as: string, request: string) =>
          run(`printf '${request}\\n' | ${as} nc -U -N ${SOCKET} | tr -d '\\0' || :`);
        expect(await ask(AS_EXPORTER, 'netback-rings')).toContain('xen-netback/vif1.0/io_ring_q0');
        expect(await ask(AS_EXPORTER, 'xl destroy domu1')).toContain('is not a request of this helper');
        expect(await ask(AS_EXPORTER, 'xl list -v; reboot')).toContain('is not a request of this helper');
        expect(await ask(AS_EXPORTER.replaceAll(String(ID), '65533'), 'netback-rings')).toBe('');
      });

      test(
        'run states come through the helper; kill -9 of the exporter in a window leaves nothing on',
        { timeout: 600_000 },
        async () => {
          const settings = { 'collector.runstate.enabled': true, 'xentrace.cpu-budget': 0.5 };
          await stopExporter(dom0());
          await startWithHelper('--xentrace.window=3 --xentrace.interval=5', settings);
          const complete = (page: Exposition) =>
            page.value('xen_exporter_xentrace_windows_total', { result: 'complete' }) ?? 0;
          await pageWith('two windows', (page) => complete(page) >= 2);
          await stopExporter(dom0());
          await startWithHelper('--xentrace.window=60 --xentrace.interval=300', settings);
          await until('a window to begin', () => works('pgrep -x xentrace'), { timeoutMs: 120_000, intervalMs: 200 });
          await stopExporter(dom0(), 'SIGKILL');
          await until('xentrace to end', async () => !(await works('pgrep -x xentrace')), {
            timeoutMs: 20_000,
            intervalMs: 200,
          });
          // A xentrace that does not enable tracing reads only what Xen still writes: nothing.
          const bytes = await run('sleep 4; xentrace -X -T 1 /run/lab/left.xt; wc -c < /run/lab/left.xt');
          tell(`left of a window that was cut off: ${bytes.trim()} bytes`);
          expect(Number(bytes)).toBeLessThan(100_000);
          await startWithHelper();
        },
      );

      test('a helper that is killed costs what needs it, and is welcome back', { timeout: 600_000 }, async () => {
        await pageWith('everything', isWhole);
        await stopProgram(dom0(), HELPER_PID_FILE, 'SIGKILL');
        const page = await pageWith('what needs it to fail', (each) =>
          ['domains', 'netback'].every((name) => failing(each).includes(name)),
        );
        for (const collector of ['listeners', 'tcp', 'cpu', 'interrupts', 'softnet', 'vif', 'vbd', 'xenbus']) {
          expect(failing(page)).not.toContain(collector);
        }
        await startHelper();
        await pageWith('the recovery', isWhole, 300_000);
      });
    });
  });
}
