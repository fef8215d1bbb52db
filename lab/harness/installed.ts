import { randomUUID } from 'node:crypto';
import { until } from '../../tools/lib/until.ts';
import type { Machine } from './machine.ts';

/** Flags of the units. */
export const DEFAULTS = '/etc/default/xen-exporter';

export type UnitName = 'xen-exporter' | 'xen-exporter-dom0' | 'xen-exporter-helper';

/** Result of an attempt inside a unit. */
export interface Trial {
  /** Whether its exit status was 0. */
  isWell: boolean;
  /** Its output lines. */
  said: string[];
}

// An emulated processor unpacks 130 MB.
const DPKG_TIMEOUT_MS = 900_000;
const START_TIMEOUT_MS = 180_000;

/** The Debian package in a machine whose init is systemd. */
export class Installed {
  readonly machine: Machine;
  /** Unit of the HTTP process. */
  readonly web: UnitName;
  /** Units that run here, in dependency order. */
  readonly units: readonly UnitName[];

  constructor(machine: Machine) {
    const isDom0 = machine.name === 'dom0';
    this.machine = machine;
    this.web = isDom0 ? 'xen-exporter-dom0' : 'xen-exporter';
    this.units = isDom0 ? ['xen-exporter-helper', this.web] : [this.web];
  }

  run(script: string, timeoutMs = START_TIMEOUT_MS): Promise<string> {
    return this.machine.run(script, { timeoutMs });
  }

  works(script: string): Promise<boolean> {
    return this.machine.succeeds(`${script} >/dev/null 2>&1`, START_TIMEOUT_MS);
  }

  /**
   * Copies a local Debian package to the machine and installs it. Returns the output of dpkg and the package's scripts.
   */
  async install(deb: string): Promise<string> {
    const path = '/run/lab/xen-exporter.deb';
    await this.machine.send(deb, path);
    return this.run(`dpkg --install ${path} 2>&1 && rm ${path}`, DPKG_TIMEOUT_MS);
  }

  /** Makes the exporter reachable from other machines, like an administrator. */
  async open(): Promise<void> {
    await this.run(`sed -i 's/^LISTEN=.*/LISTEN=""/' ${DEFAULTS} && systemctl restart ${this.web}`);
  }

  /** A property of a unit according to systemd. */
  async property(unit: UnitName, name: string): Promise<string> {
    return (await this.run(`systemctl show --property=${name} --value ${unit}`)).trim();
  }

  pid(unit: UnitName): Promise<string> {
    return this.property(unit, 'MainPID');
  }

  /** A file of the unit's control group, such as memory.peak. */
  async ofGroup(unit: UnitName, file: string): Promise<string> {
    return (await this.run(`cat /sys/fs/cgroup/system.slice/${unit}.service/${file}`)).trim();
  }

  /** Waits until all units are active (each has sent READY=1) and this unit's main process is not `pid`. */
  async isBack(unit: UnitName, pid: string): Promise<void> {
    await until(
      `another process of ${unit}`,
      async () => !['0', pid].includes(await this.pid(unit)) && (await this.isActive()),
      { timeoutMs: START_TIMEOUT_MS, intervalMs: 500 },
    );
  }

  isActive(): Promise<boolean> {
    return this.works(`systemctl is-active ${this.units.join(' ')}`);
  }

  /** Waits until a unit has processes of this name, and returns them. */
  async hasProcess(unit: UnitName, name: string): Promise<string[]> {
    const group = `/sys/fs/cgroup/system.slice/${unit}.service/cgroup.procs`;
    const script = `for pid in $(cat ${group}); do if [ "$(cat /proc/$pid/comm)" = ${name} ]; then echo $pid; fi; done 2>/dev/null; :`;
    return until(
      `${name} in ${unit}`,
      async () => {
        const pids = (await this.run(script)).split('\n').filter((line) => line !== '');
        return pids.length > 0 && pids;
      },
      { timeoutMs: START_TIMEOUT_MS, intervalMs: 500 },
    );
  }

  isGone(pids: readonly string[]): Promise<true> {
    const condition = () => this.works(`! kill -0 ${pids.join(' ')}`);
    return until('what was started to be gone', condition, { timeoutMs: 60_000, intervalMs: 500 });
  }

  /**
   * Lists remaining processes, control groups, sockets, temporary files, probes and tracing instances, one per line.
   * Empty while no unit runs.
   */
  async leftovers(): Promise<string> {
    return this.run(
      `pgrep -a -f '^/usr/(bin|lib/xen-exporter)/xen-exporter'
      ls -d /sys/fs/cgroup/system.slice/xen-exporter* /run/xen-exporter /run/private/xen-exporter /var/lib/xen-exporter /var/lib/private/xen-exporter \\
        /tmp/systemd-private-*-xen-exporter* /var/tmp/systemd-private-*-xen-exporter* /tmp/xen-exporter* /sys/kernel/tracing/instances/* 2>/dev/null
      cat /sys/kernel/tracing/kprobe_events
      :`,
    );
  }

  /**
   * Runs a command once in a copy of the unit with only another command line and these settings. It has the unit's
   * user, namespaces, control group and system calls, but not the exporter's own additional restrictions.
   */
  async asUnit(unit: UnitName, command: string, settings: readonly string[] = []): Promise<Trial> {
    const trial = `trial-${randomUUID()}`;
    const folder = `/run/systemd/system/${trial}.service.d`;
    // systemd expands % and $ in units.
    const escaped = command.replaceAll('%', '%%').replaceAll('$', '$$$$');
    const ok = await this.works(`mkdir -p ${folder}
      cp /usr/lib/systemd/system/${unit}.service /run/systemd/system/${trial}.service
      cat >${folder}/trial.conf <<'END'
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
RuntimeDirectory=
SyslogIdentifier=trial
ExecStart=
ExecStart=${escaped}
${settings.join('\n')}
END
      systemctl daemon-reload
      systemctl start ${trial}`);
    const said = await this.run(`journalctl --sync; journalctl --output=cat --unit=${trial} --identifier=trial
      rm -r ${folder} /run/systemd/system/${trial}.service; systemctl reset-failed ${trial} 2>/dev/null; :`);
    return { isWell: ok, said: said.split('\n').filter((line) => line !== '') };
  }

  /** Results of attempts (see /lab/attempt) by a process of this unit. */
  async attempts(
    unit: UnitName,
    attempts: readonly string[],
    settings: readonly string[] = [],
  ): Promise<Map<string, string>> {
    const python = '/usr/bin/python3';
    // The exporter's units allow only the exporter to be executed. Allow this command too.
    const start = unit === 'xen-exporter-helper' ? [] : [`ExecPaths=${python}`];
    const command = `${python} /lab/attempt ${attempts.join(' ')}`;
    const { said } = await this.asUnit(unit, command, [...start, ...settings]);
    const results = new Map(said.map((line) => [line.split(' ')[0]!, line.slice(line.indexOf(' ') + 1)]));
    if (results.size !== attempts.length)
      throw new Error(`${unit} in ${this.machine.name}, tried: ${said.join('\n')}\n${await this.journal()}`);
    return results;
  }

  /** Recent journal of the units. */
  journal(): Promise<string> {
    return this.run(`journalctl --no-pager --lines=60 --unit='xen-exporter*' --unit='trial-*'`);
  }
}
