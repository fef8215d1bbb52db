import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commandsOf } from '../../tools/docs/runbooks.ts';
import type { Stage } from '../harness/stage.ts';
import { project } from '../../tools/lib/project.ts';

const folder = join(project, 'runbooks');
const PAGE_TIMEOUT_MS = 600_000;

/** What a page's commands may change, as Dom0 and the guest show it. */
const settings = {
  dom0: [
    'xl sched-credit; xl sched-credit2',
    'xl vcpu-list | awk \'{ $4 = $5 = $6 = ""; print }\'',
    'xl cpupool-list',
    'xl network-list domu1; xl network-list pvh1',
    'grep . /sys/module/xen_netback/parameters/* /sys/module/xen/parameters/event_eoi_delay',
    'grep . /sys/bus/xen-backend/devices/vif-*/xenbus/spurious_threshold',
    // A vif that is plugged in anew has another number.
    "ip -o link | sed 's/^[0-9]*: //; s/qdisc.*mode/mode/' | sort",
    'sysctl net.core',
  ],
  guest: [
    'sysctl net.core net.ipv4.tcp_syncookies net.ipv4.tcp_fastopen net.ipv4.tcp_max_syn_backlog net.ipv4.tcp_abort_on_overflow',
    'grep . /sys/class/net/*/queues/*/rps_cpus /proc/irq/*/smp_affinity_list',
  ],
};

/** Every command of every runbook that can run here: each ends well, and all of a page leave the host as it was. */
export function describeRunbooks(stage: () => Stage): void {
  describe('runbooks', () => {
    beforeAll(async () => {
      const { dom0, scheduler } = stage().lab;
      // As the runbooks find a host: with Xen's defaults.
      await dom0.run(`xl sched-${scheduler} -s ${scheduler === 'credit' ? '-t 30' : ''} -r 1000`);
      await dom0.run(`xl sched-${scheduler} -d pvh1 -w 256 -c 0`);
    });

    test.each(readdirSync(folder))('%s', { timeout: PAGE_TIMEOUT_MS }, async (name) => {
      const { lab } = stage();
      const machines = { dom0: lab.dom0, guest: lab.guest('domu1') };
      const look = async (): Promise<string[]> => {
        const all: string[] = [];
        for (const machine of ['dom0', 'guest'] as const)
          for (const command of settings[machine]) all.push(await machines[machine].run(command));
        return all;
      };
      const before = await look();
      for (const { machine, command, only } of commandsOf(readFileSync(resolve(folder, name), 'utf8'))) {
        if (only === '' || only === lab.scheduler) await machines[machine].run(command);
      }
      expect(await look()).toEqual(before);
    });
  });
}
