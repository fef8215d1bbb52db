import { copyFileSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { fileFlags, hostFlags } from './copied-host.ts';
import { xcpRrddFile } from './xcp-rrdd-file.ts';
import { readText } from './fixture.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import type { TempTree } from './fake-host.ts';
import { guestRoot } from './guests.ts';
import { hostRoot } from './hosts.ts';
import { StormReplay } from './storm-replay.ts';

const domu1 = '6c9ee902-e8b7-484d-b5a1-502d89e835de';

/** Readings that no captured host has, in the format of the kernel and tools. */
const addToDom0 = (tree: TempTree): void => {
  const grants = hostRoot('credit-netlink-storm');
  copyFileSync(`${grants}/bin/xen-diag`, tree.path('bin/xen-diag'));
  for (const domid of [0, 1]) {
    const command = `commands/xen-diag gnttab_query_size ${domid}`;
    copyFileSync(`${grants}/${command}`, tree.path(command));
  }
  tree.write({
    // domu1 has a cap of 1.5 CPUs.
    'commands/xl sched-credit': readText('hosts/credit-storm/commands/xl sched-credit').replace(
      /^(domu1 .*) 0$/m,
      '$1 150',
    ),
    // The firewall of another captured Dom0.
    'proc/net/stat/nf_conntrack': readText('xl/proc-net-stat-nf_conntrack'),
    'proc/sys/net/netfilter/nf_conntrack_count': '65530\n',
    'proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
    // A network card with four virtual functions, according to Documentation/ABI/testing/sysfs-bus-pci.
    'sys/devices/pci0000:00/0000:00:1f.0/sriov_totalvfs': '4\n',
  });
  mkdirSync(tree.path('sys/bus/pci/devices'), { recursive: true });
  symlinkSync('../../../devices/pci0000:00/0000:00:1f.0', tree.path('sys/bus/pci/devices/0000:00:1f.0'));
};

/** Files with timestamps: a kernel's clock and jiffies at 250 Hz, and domu1's run states in XCP-ng's format. */
const timely = (): Record<string, string | Uint8Array> => {
  const now = process.hrtime.bigint();
  const seconds = Number(now) / 1e9;
  const shares = { runstate_fullrun: 0.3, runstate_full_contention: 0.5, runstate_blocked: 0.2 };
  return {
    'proc/timer_list': readText('linux-6.18/proc-timer_list-head')
      .replace(/^now at \d+/m, `now at ${now}`)
      .replace(/^jiffies: \d+/m, `jiffies: ${now / 4_000_000n}`),
    'dev/shm/metrics/xcp-rrdd-cpu': xcpRrddFile(
      Date.now() / 1000,
      Object.entries(shares).map(([name, share]) => ({ name, owner: `vm ${domu1}`, value: share * seconds })),
    ),
  };
};

/** Replaces files atomically. */
const replace = (tree: TempTree, files: Readonly<Record<string, string | Uint8Array>>): void => {
  for (const [name, content] of Object.entries(files)) {
    tree.write({ [`${name}.new`]: content });
    renameSync(tree.path(`${name}.new`), tree.path(name));
  }
};

/**
 * Exporters of four hosts and three guests: a Dom0 and its guest that go from idle into the storm, another guest of it,
 * Dom0s with other schedulers, and this machine posing as a guest, for netlink readings of a live kernel.
 */
export class Fleet implements AsyncDisposable {
  readonly replay = new StormReplay();
  readonly #hosts: Daemon[] = [];
  readonly #guests: Daemon[] = [];
  #clock: NodeJS.Timeout | undefined;

  /** Addresses to scrape, by host and guest. */
  get targets(): { hosts: string[]; targets: string[] } {
    const addresses = (daemons: readonly Daemon[]): string[] => daemons.map(({ port }) => `127.0.0.1:${port}`);
    return { hosts: addresses(this.#hosts), targets: addresses(this.#guests) };
  }

  /** Address of the Dom0 with the storm. */
  get dom0(): string {
    return this.targets.hosts[0]!;
  }

  static async start(): Promise<Fleet> {
    const fleet = new Fleet();
    try {
      await fleet.#start();
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { dom0, guest } = this.replay.flags;
    const { dom0: tree } = this.replay.trees;
    addToDom0(tree);
    replace(tree, timely());
    this.#clock = setInterval(() => replace(tree, timely()), 100);
    const settings = { 'path.rrd-metrics': tree.path('dev/shm/metrics') };
    this.#hosts.push(await startDaemon({ args: dom0, settings }));
    for (const host of ['credit2-storm', 'rtds-storm'] as const)
      this.#hosts.push(await startDaemon({ args: hostFlags(hostRoot(host)) }));
    for (const args of [guest, fileFlags(guestRoot('pvh-storm')), [`--path.sysfs=${guestRoot('hvm-idle')}/sys`]])
      this.#guests.push(await startDaemon({ args }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#clock);
    await Promise.all([...this.#hosts, ...this.#guests].map((daemon) => daemon[Symbol.asyncDispose]()));
    this.replay[Symbol.dispose]();
  }
}
