import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  assignmentsOf,
  blocksOf,
  namingGuest,
  type Placeholder,
  type RunbookCommand,
} from '../../tools/docs/runbook-commands.ts';
import { made } from '../../tools/lib/packages.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';
import { Installed } from '../harness/installed.ts';
import { EXPORTER_PORT, type Lab } from '../harness/lab.ts';
import type { Machine } from '../harness/machine.ts';
import { tell } from '../harness/tell.ts';
import { runsOf, scriptOf, withValues } from './runbook-script.ts';

const folder = join(project, 'runbooks');
const INSTALL_TIMEOUT_MS = 1_800_000;
const PAGE_TIMEOUT_MS = 900_000;
const COMMANDS_TIMEOUT_MS = 300_000;

/** Twice the number of other tests, because pages must not assume a number. */
export const RUNBOOK_CPUS = 8;

const GUEST = 'domu1';
/** Contains spaces, a number and characters that are special in a shell. */
const GUEST_NAME = 'web server 3 (old)';
/** Accepts connections. Pages restart it. */
const SERVER = { unit: 'runbook-server.service', port: 8080 };

/** Runs last: this page replaces the vif, and a new vif has no unusual settings. */
const REPLUGS = 'XenVifDisconnected.md';

/** Pages with commands. */
const pages = readdirSync(folder)
  .map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const)
  .filter(([, page]) => blocksOf(page).length > 0)
  .sort(([a], [b]) => Number(a === REPLUGS) - Number(b === REPLUGS) || a.localeCompare(b));

type Machines = Record<RunbookCommand['machine'], Machine>;

/**
 * The lab's values for placeholders of pages; some must be queried. Placeholders of commands that the lab cannot run
 * are absent.
 */
const VALUES: Readonly<Partial<Record<Placeholder, string | ((machines: Machines) => Promise<string>)>>> = {
  BACKLOG: '1024',
  BANDWIDTH: '90mbit',
  BRIDGE: 'xenbr0',
  CAP: '150',
  CPUS: '2-3',
  DOM0_CPUS: '0-1',
  HOST: '10.0.2.15',
  IFACE: 'eth0',
  IRQ: async ({ guest }) => guest.run(`awk -F: '/-q[0-9]+-rx/ { print $1 + 0; exit }' /proc/interrupts`),
  NETWORK: '192.0.2.0/24',
  PID: async ({ guest }) => guest.run(`systemctl show --property=MainPID --value ${SERVER.unit}`),
  PORT: String(SERVER.port),
  QUEUES: '2',
  RATE: '1250000,50000',
  SYNS: '5000',
  UNIT: SERVER.unit,
  URL: `http://localhost:${EXPORTER_PORT}`,
  VCPUS: '2',
  WEIGHT: '512',
};

const valueOf =
  (machines: Machines) =>
  async (name: string): Promise<string | undefined> => {
    const value = VALUES[name as Placeholder];
    return typeof value === 'function' ? (await value(machines)).trim() : value;
  };

/** Units of the guest that pages stop, start and restart: their Debian packages are not in the image. */
const units = `
cat >/run/systemd/system/${SERVER.unit} <<'END'
[Service]
ExecStart=/lab/slow-server ${SERVER.port} 8 3
Restart=always
END
cat >/run/systemd/system/irqbalance.service <<'END'
[Service]
ExecStart=/bin/sleep infinity
END
systemctl daemon-reload
systemctl start ${SERVER.unit} irqbalance.service
until ss -Hltn 'sport = :${SERVER.port}' | grep -q .; do sleep 0.2; done`;

/** Unusual settings of Xen, Dom0 and its guests, to detect an undo that sets defaults. */
const unusualHost = (scheduler: Lab['scheduler']): string => `set -e
xl sched-${scheduler} -s ${scheduler === 'credit' ? '-t 20' : ''} -r 900
xl sched-${scheduler} -d Domain-0 -w 400
xl sched-${scheduler} -d '${GUEST_NAME}' -w 300 -c 120
xl vcpu-pin domu2 0 5 4-5
xl vcpu-pin '${GUEST_NAME}' all all 1-7
modprobe nf_conntrack
sysctl -q net.core.netdev_budget=350 net.core.netdev_budget_usecs=9000
sysctl -q net.netfilter.nf_conntrack_max=50000 net.netfilter.nf_conntrack_tcp_timeout_time_wait=100
echo 3 >/sys/module/xen_netback/parameters/max_queues
echo 8 >/sys/module/xen/parameters/event_eoi_delay
xenhypfs write /params/gnttab_max_frames 80`;

/** The same for the guest's vif; they disappear with it. */
const unusualVif = `set -e
D=$(xl domid '${GUEST_NAME}')
echo 2 >/sys/bus/xen-backend/devices/vif-$D-0/xenbus/spurious_threshold
xenstore-write /local/domain/0/backend/vif/$D/0/rate 5000000,50000
ip link set dev vif$D.0 txqueuelen 900
tc qdisc replace dev vif$D.0 root pfifo limit 900
ethtool -K vif$D.0 tx-tcp6-segmentation off
for thread in $(pgrep "^vif$D[.]0-q"); do taskset -pc 0 $thread; done`;

/** Restores the settings of a new vif. */
const usualVif = `set -e
D=$(xl domid '${GUEST_NAME}')
echo 1 >/sys/bus/xen-backend/devices/vif-$D-0/xenbus/spurious_threshold
xenstore-rm /local/domain/0/backend/vif/$D/0/rate
ip link set dev vif$D.0 txqueuelen 1000
tc qdisc del dev vif$D.0 root
ethtool -K vif$D.0 tx-tcp6-segmentation on
for thread in $(pgrep "^vif$D[.]0-q"); do taskset -pc 0-$(($(nproc) - 1)) $thread; done`;

/** The same for the guest. */
const unusualGuest = `set -e
sysctl -q net.core.somaxconn=3000 net.core.netdev_budget=350 vm.min_free_kbytes=6000
sysctl -q net.ipv4.tcp_synack_retries=4 net.ipv4.tcp_max_syn_backlog=600
echo 3 >/sys/module/xen_netfront/parameters/max_queues`;

/** The same for the guest's network card. */
const unusualCard = `set -e
ethtool -K eth0 tx-tcp6-segmentation off
for queue in /sys/class/net/eth0/queues/rx-*/rps_cpus; do echo 1 >$queue; done`;

/** Restores the settings of a new network card. The next one gets as many queues as this one. */
const usualCard = `set -e
ls -d /sys/class/net/eth0/queues/rx-* | wc -l >/sys/module/xen_netfront/parameters/max_queues
ethtool -K eth0 tx-tcp6-segmentation on
for queue in /sys/class/net/eth0/queues/rx-*/rps_cpus; do echo 0 >$queue; done`;

/**
 * Settings that commands may change, as shown by the machines. Excludes identifiers of vifs and values that change by
 * themselves.
 */
const settings = {
  dom0: [
    'xl sched-credit; xl sched-credit2',
    // From the right, because the first column contains names.
    `xl vcpu-list | awk '{ print $(NF - 7), $(NF - 6), ($(NF - 4) ~ /p/), $(NF - 2), $NF }'`,
    'xl cpupool-list -c',
    'xenstore-list /local/domain | sort',
    `xenstore-ls -f /local/domain/0/backend/vif | grep -E '/(mac|bridge|rate|online|state) ' | sort`,
    'grep . /sys/module/xen_netback/parameters/* /sys/module/xen/parameters/event_*',
    'grep . /sys/bus/xen-backend/devices/vif-*/xenbus/spurious_threshold',
    'xenhypfs cat /params/gnttab_max_frames',
    "ip -o link | sed 's/^[0-9]*: //; s/qdisc.*mode/mode/' | sort",
    'ls /sys/class/net/xenbr0/brif',
    "tc qdisc show | sed 's/ [0-9a-f]*: / /; s/ refcnt [0-9]*//' | sort",
    `vif=vif$(xl domid '${GUEST_NAME}').0; tc filter show dev $vif egress; ethtool -k $vif`,
    // mawk stops at the first file that is gone; cat does not.
    "cat /proc/[0-9]*/status 2>/dev/null | awk '/^Name:/ { name = $2 } /^Cpus_allowed_list:/ && name ~ /^vif/ { print name, $2 }' | sort",
    'sysctl net.core',
    'sysctl net.netfilter | grep -v _count',
    'ls -d /sys/module/br_netfilter /sys/module/xen_pciback',
    'cat /sys/kernel/tracing/kprobe_events; ls /sys/kernel/tracing/instances',
    'nproc',
    "ps -o ni,comm -C xenstored,oxenstored | sed 's/^ *//'",
    'for unit in xen-exporter-dom0 xen-exporter-helper; do cat /proc/$(systemctl show --property=MainPID --value $unit)/oom_score_adj; done',
    'systemctl is-active xen-exporter xen-exporter-dom0 xen-exporter-helper',
    'systemctl is-enabled xen-exporter xen-exporter-dom0 xen-exporter-helper',
  ],
  guest: [
    "sysctl net.core net.ipv4 vm.min_free_kbytes | grep -v '^net[.]ipv4[.][a-su-z]'",
    'grep . /sys/class/net/*/queues/*/rps_cpus /sys/class/net/*/threaded /proc/irq/*/smp_affinity_list',
    'cat /sys/module/xen_netfront/parameters/*',
    "tc qdisc show | sed 's/ [0-9a-f]*: / /; s/ refcnt [0-9]*//' | sort",
    'ethtool -k eth0',
    "ip -br address | sed 's/@.*//'; ip route",
    "ss -Hltn | awk '{ print $3, $4 }' | sort",
    `cat /proc/$(systemctl show --property=MainPID --value ${SERVER.unit})/limits`,
    `systemctl is-active ${SERVER.unit} irqbalance xen-exporter`,
    'systemctl is-enabled xen-exporter xen-exporter-dom0 xen-exporter-helper',
  ],
};

/** Output of the commands, line by line. */
const lookAt = async (machine: Machine, commands: readonly string[]): Promise<string[]> => {
  const script = commands.map((command) => `echo '== ${command.replaceAll("'", String.raw`'\''`)}'\n${command}`);
  const shown = await machine.run(`{ ${script.join('\n')}\n} 2>&1; :`, { timeoutMs: COMMANDS_TIMEOUT_MS });
  return shown.split('\n');
};

/**
 * Runs every command of every runbook that can run here. Each must succeed, and each page must leave the host
 * unchanged.
 */
export function describeRunbooks(lab: () => Lab): void {
  describe('runbooks', () => {
    let machines: Machines;
    const answers = (): Promise<boolean> =>
      until(
        `${GUEST} to answer`,
        async () => (await machines.guest.succeeds('true')) && (await machines.dom0.succeeds('true')),
        { timeoutMs: 120_000, intervalMs: 500 },
      );

    beforeAll(async () => {
      machines = { dom0: lab().dom0, guest: lab().guest(GUEST) };
      if (!existsSync(made.deb)) throw new Error(`there is no ${made.deb}: npm run package -- deb makes it`);
      for (const machine of Object.values(machines)) {
        const installed = new Installed(machine);
        await installed.install(made.deb);
        await until(`the exporter in ${machine.name}`, () => installed.isActive(), {
          timeoutMs: 300_000,
          intervalMs: 500,
        });
        tell(`${machine.name}: the package is installed, and its units are active`);
      }
      await machines.guest.run(units);
      // xenconsoled names a guest's console log when the guest is created.
      await machines.dom0.run(
        `xl rename ${GUEST} '${GUEST_NAME}' && ln -sf guest-${GUEST}.log '/var/log/xen/console/guest-${GUEST_NAME}.log'`,
      );
      await machines.dom0.run(unusualHost(lab().scheduler));
      await machines.dom0.run(unusualVif);
      await machines.guest.run(unusualGuest);
      await machines.guest.run(unusualCard);
    }, INSTALL_TIMEOUT_MS);

    // If the lab keeps running, the next run must find the same state.
    afterAll(async () => {
      await machines.dom0.run(`xl rename '${GUEST_NAME}' ${GUEST}`);
      for (const machine of Object.values(machines))
        await new Installed(machine).works('dpkg --purge xen-exporter; systemctl reset-failed');
    }, INSTALL_TIMEOUT_MS);

    const look = async (): Promise<string[]> => {
      await answers();
      const [dom0, guest] = await Promise.all([
        lookAt(machines.dom0, settings.dom0),
        lookAt(machines.guest, settings.guest),
      ]);
      return [...dom0, ...guest];
    };
    /**
     * Settings after the last page, or undefined if that page failed. Reading them takes longer than the commands of
     * most pages.
     */
    let left: string[] | undefined;

    test.each(pages)('%s', { timeout: PAGE_TIMEOUT_MS }, async (name, page) => {
      if (name === REPLUGS) {
        await machines.dom0.run(usualVif);
        await machines.guest.run(usualCard);
        left = undefined;
      }
      const before = left ?? (await look());
      left = undefined;
      for (const { only, commands } of blocksOf(page)) {
        if (!['', 'systemd', lab().scheduler].includes(only)) continue;
        for (const { machine, commands: typed } of runsOf(commands)) {
          // A reader uses one shell throughout; the lab starts one per block.
          const all = [...assignmentsOf(page, machine), ...typed].map((command) => namingGuest(command, GUEST_NAME));
          const script = scriptOf(await withValues(all, valueOf(machines)));
          await machines[machine].run(script, { timeoutMs: COMMANDS_TIMEOUT_MS });
        }
      }
      left = await look();
      expect(left).toEqual(before);
    });
  });
}
