import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { made } from '../../tools/lib/packages.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { commandOutput } from '../../tools/lib/command.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { until } from '../../tools/lib/until.ts';
import { describeConfinement } from './confinement.ts';
import { metricsOf, startExporter, stopExporter } from '../harness/exporter.ts';
import { DEFAULTS, Installed } from '../harness/installed.ts';
import type { Lab } from '../harness/lab.ts';
import { failing, missing } from '../harness/pages.ts';
import { tell } from '../harness/tell.ts';
import { describeFirstInstallation } from './first-installation.ts';
import { describeWrongUnits } from './wrong-units.ts';

const MACHINES = ['dom0', 'domu1'] as const;
const CYCLES = Number(process.env['XEN_LAB_CYCLES'] ?? 20);
const UPGRADE = '99.0.0';
// Failed readings of a slow schedule are retried after half a minute.
const WHOLE_TIMEOUT_MS = 300_000;
const CONFIG = '/etc/xen-exporter.yml';
const LONG = { timeout: 1_800_000 };
/** Lists of files, kept in memory. */
const BEFORE = '/run/lab/files.before';
// Files that dpkg, useradd, the journal and xl keep.
const OF_THE_SYSTEM =
  /^\/(var\/(lib\/(dpkg|xen)|log|cache)|etc\/(passwd|group|shadow|gshadow|subuid|subgid)-|etc\/\.pwd\.lock)/;

/** Metrics of docs/reference/metrics.md that a page has. */
const documentedOn = (page: Exposition): string[] =>
  registry.flatMap(({ metrics }) => metrics.map(({ name }) => name)).filter((name) => page.families.has(name));

/** The Debian package of `npm run package -- deb` under systemd in Dom0 and in a guest: from installation to purge. */
export function describePackages(lab: () => Lab): void {
  describe('the Debian package', () => {
    let machines: Record<(typeof MACHINES)[number], Installed>;
    beforeAll(async () => {
      machines = { dom0: new Installed(lab().dom0), domu1: new Installed(lab().guest('domu1')) };
      if (!existsSync(made.deb)) throw new Error(`there is no ${made.deb}: npm run package -- deb makes it`);
      for (const installed of Object.values(machines)) {
        await stopExporter(installed.machine);
        await installed.run(`mkdir -p /run/lab && find / -xdev | sort >${BEFORE}`);
      }
    }, 600_000);
    // If the lab keeps running, the next run must find the same state.
    afterAll(async () => {
      for (const installed of Object.values(machines))
        await installed.works('dpkg --purge xen-exporter; systemctl reset-failed');
    }, 600_000);
    beforeEach(({ onTestFailed }) => {
      onTestFailed(async () => {
        for (const installed of Object.values(machines))
          tell(`journal of ${installed.machine.name}:\n${await installed.journal()}`);
      });
    });

    /** Waits for a complete page of this machine. */
    const wholePage = async (installed: Installed): Promise<Exposition> => {
      let lacks: string[] = ['a page'];
      const page = async (): Promise<Exposition | false> => {
        const each = await metricsOf(installed.machine);
        lacks = installed.machine.name === 'dom0' ? missing(each) : failing(each);
        return lacks.length === 0 && each;
      };
      const limits = { timeoutMs: WHOLE_TIMEOUT_MS, intervalMs: 1000 };
      try {
        return await until('everything', () => page().catch(() => false as const), limits);
      } catch (error) {
        throw new Error(`${installed.machine.name} lacks ${lacks.join(', ')}`, { cause: error });
      }
    };

    test.for(MACHINES)('%s: installs, and its units are enabled and active', LONG, async (name) => {
      const installed = machines[name];
      const said = await installed.install(made.deb);
      tell(`${name}: ${said.trim()}`);
      expect(said).toContain(`xen-exporter listens on 127.0.0.1 alone until you change LISTEN in ${DEFAULTS}.\n`);
      for (const unit of installed.units) {
        // Type=notify: a unit is active once it has sent READY=1.
        const state = ['Type', 'UnitFileState', 'ActiveState', 'SubState', 'NRestarts'];
        const values = await Promise.all(state.map((property) => installed.property(unit, property)));
        expect(values, unit).toEqual(['notify', 'enabled', 'active', 'running', '0']);
      }
      const others = name === 'dom0' ? 'xen-exporter' : 'xen-exporter-dom0 xen-exporter-helper';
      expect(await installed.works(`systemctl is-active ${others} || systemctl is-enabled ${others}`)).toBe(false);
    });

    describeFirstInstallation(() => machines);

    test('dom0: everything is read, what needs root by the helper', LONG, async () => {
      const page = await wholePage(machines.dom0);
      for (const collector of [
        'domains',
        'scheduler',
        'host',
        'grants',
        'netback',
        'vif',
        'interrupts',
        'xenbus',
        'vbd',
      ])
        expect.soft(page.value('xen_exporter_collector_success', { collector }), collector).toBe(1);
      expect(page.value('xen_exporter_helper_up')).toBe(1);
      expect(page.value('xen_exporter_listener_source', { source: 'netlink' })).toBe(1);
      // From /proc/PID/schedstat of kernel threads, which another ProtectProc= would hide.
      const threads = page.samples('xen_netback_thread_cpu_seconds_total').map(({ value }) => value);
      expect(Math.max(...threads)).toBeGreaterThan(0);
      expect(page.value('xen_domain_cpu_seconds_total', { domain: 'domu1' })).toBeGreaterThan(0);
      tell(
        `dom0: ${page
          .samples('xen_exporter_collector_success')
          .map(({ labels, value }) => `${labels['collector']} ${value}`)
          .join(', ')}`,
      );
    });

    test('domu1: everything is read, listening sockets by netlink', LONG, async () => {
      const page = await wholePage(machines.domu1);
      expect(failing(page)).toEqual([]);
      expect(page.value('xen_exporter_listener_source', { source: 'netlink' })).toBe(1);
      expect(page.samples('xen_guest_info')[0]?.labels).toMatchObject({ role: 'guest', type: 'pv' });
      expect(page.value('xen_netfront_queues', { vif: '0' })).toBe(2);
    });

    test.for(MACHINES)('%s: memory and tasks are far from their limits', async (name) => {
      const installed = machines[name];
      for (const unit of installed.units) {
        const files = ['memory.current', 'memory.peak', 'memory.max', 'pids.current', 'pids.max'];
        const [current, peak, most, tasks, mostTasks] = await Promise.all(
          files.map(async (file) => Number(await installed.ofGroup(unit, file))),
        );
        const mebibytes = [current, peak, most].map((bytes) => Math.round(bytes! / 2 ** 20));
        tell(
          `${name}, ${unit}: memory ${mebibytes[0]} MiB, at most ${mebibytes[1]} of ${mebibytes[2]}; tasks ${tasks} of ${mostTasks}`,
        );
        expect(peak).toBeLessThan(most! * 0.75);
        expect(tasks).toBeLessThan(mostTasks! * 0.75);
      }
    });

    describeConfinement(() => machines);
    describeWrongUnits(() => machines);

    test.for(MACHINES)(
      '%s: the units deliver every documented series that root reads here without them',
      LONG,
      async (name) => {
        const installed = machines[name];
        const units = installed.units.join(' ');
        await installed.run(`systemctl stop ${units}`);
        let ofRoot: string[];
        try {
          await startExporter(installed.machine, { program: 'xen-exporter' });
          ofRoot = documentedOn(await wholePage(installed));
        } finally {
          await stopExporter(installed.machine);
          await installed.run(`systemctl start ${units}`);
        }
        expect(ofRoot.length).toBeGreaterThan(name === 'dom0' ? 60 : 25);
        let lacking: string[] = ofRoot;
        const isComplete = async (): Promise<boolean> => {
          const ofUnits = new Set(documentedOn(await metricsOf(installed.machine)));
          lacking = ofRoot.filter((metric) => !ofUnits.has(metric));
          return lacking.length === 0;
        };
        const limits = { timeoutMs: WHOLE_TIMEOUT_MS, intervalMs: 1000 };
        await until('every series', () => isComplete().catch(() => false), limits).catch(() => {});
        tell(`${name}: ${ofRoot.length} documented metrics; lacking under the units: ${lacking.join(', ') || 'none'}`);
        expect(lacking).toEqual([]);
      },
    );

    describe('dom0: killed in the middle of commands of xl', () => {
      const xenstored = '$(cat /run/xen/xenstored.pid)';
      test.for([
        ['the exporter', ['xen-exporter-dom0']],
        ['the helper', ['xen-exporter-helper']],
        ['both', ['xen-exporter-helper', 'xen-exporter-dom0']],
      ] as const)('%s: back by systemd, the next page whole, no command left', LONG, async ([, killed]) => {
        const { dom0 } = machines;
        await wholePage(dom0);
        const pids = await Promise.all(killed.map((unit) => dom0.pid(unit)));
        await dom0.run(`kill -STOP ${xenstored}`);
        try {
          const hung = await dom0.hasProcess('xen-exporter-helper', 'xl');
          const begin = performance.now();
          await dom0.run(`kill -KILL ${pids.join(' ')}`);
          for (const [index, unit] of killed.entries()) await dom0.isBack(unit, pids[index]!);
          tell(`dom0: ${killed.join(' and ')} back ${((performance.now() - begin) / 1000).toFixed(1)} s after kill -9`);
          await dom0.isGone(hung);
        } finally {
          await dom0.run(`kill -CONT ${xenstored}`);
        }
        await wholePage(dom0);
      });

      test('the helper in a window of run states: Xen traces no longer', LONG, async () => {
        const { dom0 } = machines;
        const units = dom0.units.join(' ');
        const windows = `--collector.runstate --config.file=${CONFIG} --xentrace.window=60 --xentrace.interval=300`;
        await dom0.run(`cp ${DEFAULTS} /run/lab/defaults
          echo 'xentrace: {cpu-budget: 0.5}' >${CONFIG}
          printf '%s\\n' 'ARGS="${windows}"' 'HELPER_ARGS="--collector.runstate"' >${DEFAULTS}
          systemctl restart ${units}`);
        try {
          const xentrace = await dom0.hasProcess('xen-exporter-helper', 'xentrace');
          await dom0.run(`kill -KILL ${await dom0.pid('xen-exporter-helper')}`);
          await dom0.isGone(xentrace);
        } finally {
          await dom0.run(`systemctl stop ${units}; cp /run/lab/defaults ${DEFAULTS}; rm ${CONFIG}`);
        }
        // A xentrace that does not enable tracing reads only what Xen still writes: nothing.
        const bytes = await dom0.run('sleep 4; xentrace -X -T 1 /run/lab/left.xt; wc -c </run/lab/left.xt');
        tell(`dom0: left of a window that was cut off: ${bytes.trim()} bytes`);
        expect(Number(bytes)).toBeLessThan(100_000);
        await dom0.run(`systemctl start ${units}`);
        await wholePage(dom0);
      });
    });

    test.for(MACHINES)(
      `%s: ${CYCLES} starts and stops leave nothing`,
      { timeout: 60_000 * (CYCLES + 5) },
      async (name) => {
        const installed = machines[name];
        const units = installed.units.join(' ');
        await installed.run(`systemctl stop ${units}`);
        expect(await installed.leftovers()).toBe('');
        const begin = performance.now();
        for (let cycle = 0; cycle < CYCLES; cycle += 1) {
          // A start completes when the exporter listens, in the middle of its first commands.
          await installed.run(`systemctl start ${units}`);
          await installed.run(`systemctl stop ${units}`);
          expect(await installed.leftovers(), `after cycle ${cycle}`).toBe('');
        }
        tell(`${name}: ${CYCLES} cycles in ${Math.round((performance.now() - begin) / 1000)} s`);
        await installed.run(`systemctl start ${units}`);
        await wholePage(installed);
      },
    );

    describe('is upgraded', () => {
      let folder: TempTree;
      let newer: string;
      beforeAll(async () => {
        folder = new TempTree();
        newer = await repacked(folder, UPGRADE);
      }, 600_000);
      afterAll(() => folder[Symbol.dispose]());

      test.for(MACHINES)('%s: keeps its flags, and what ran is restarted', LONG, async (name) => {
        const installed = machines[name];
        const flags = 'ARGS="--log.level=debug"\nHELPER_ARGS=""\n';
        await installed.run(`printf '${flags}' >${DEFAULTS}`);
        const pids = await Promise.all(installed.units.map((unit) => installed.pid(unit)));
        tell(`${name}: ${(await installed.install(newer)).trim()}`);
        for (const [index, unit] of installed.units.entries()) await installed.isBack(unit, pids[index]!);
        expect(await installed.run(`dpkg-query --show --showformat='\${Version}' xen-exporter`)).toBe(UPGRADE);
        expect(await installed.run(`cat ${DEFAULTS}`)).toBe(flags);
        expect(await installed.run(`tr '\\0' ' ' </proc/${await installed.pid(installed.web)}/cmdline`)).toContain(
          '--log.level=debug',
        );
        await wholePage(installed);
      });
    });

    test.for(MACHINES)('%s: is removed but for its flags, and purged without a trace', LONG, async (name) => {
      const installed = machines[name];
      const added = async (): Promise<string[]> =>
        (await installed.run(`find / -xdev | sort | comm -13 ${BEFORE} -`))
          .split('\n')
          .filter((path) => path !== '' && !OF_THE_SYSTEM.test(path));
      await installed.run('dpkg --remove xen-exporter');
      expect(await installed.leftovers()).toBe('');
      expect(await added()).toEqual([DEFAULTS]);
      expect(await installed.works('getent passwd xen-exporter || getent group xen-exporter')).toBe(false);
      await installed.run('dpkg --purge xen-exporter');
      expect(await added()).toEqual([]);
      expect(await installed.run('find /var/lib/dpkg -name "*xen-exporter*"')).toBe('');
      expect(await installed.works('systemctl cat xen-exporter')).toBe(false);
    });
  });
}

/** The package rebuilt as another version, with fast compression. */
async function repacked(folder: TempTree, version: string): Promise<string> {
  const tree = folder.path('tree');
  await commandOutput('dpkg-deb', ['--raw-extract', made.deb, tree]);
  const control = readFileSync(`${tree}/DEBIAN/control`, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`);
  folder.write({ 'tree/DEBIAN/control': control });
  const deb = folder.path(basename(made.deb));
  await commandOutput('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', tree, deb]);
  return deb;
}
