import type { Severity } from '../../src/pack/alerts/alert.ts';
import { until } from '../../tools/lib/until.ts';
import { metricsOf } from '../harness/exporter.ts';
import type { Lab } from '../harness/lab.ts';
import type { Machine } from '../harness/machine.ts';

/** The guest that suffers the faults. */
export const VICTIM = 'domu1';
export const NEIGHBOUR = 'domu2';

/** Port of the server that faults start in the victim. The victim's own server on port 80 always answers. */
export const SERVER_PORT = 8080;

interface Started {
  machine: Machine;
  /** Pid of its process group. */
  pid: string;
}

interface Server {
  backlog: number;
  restMs: number;
  niceness?: number;
}

/**
 * Prefix of a command whose processes get lower or higher priority. A kernel with autogroups divides CPU time by
 * session first, and niceness counts only within a session, so both are set.
 */
const niced = (niceness: number): string =>
  `echo ${niceness} >/proc/self/autogroup 2>/dev/null; renice -n ${niceness} -p $$;`;

/** A lab for faults, with the processes that they start. */
export class Scene {
  readonly lab: Lab;
  readonly dom0: Machine;
  readonly victim: Machine;
  readonly neighbour: Machine;
  readonly #started: Started[] = [];
  /** Pid of the server in the victim. */
  #server = '';

  constructor(lab: Lab) {
    this.lab = lab;
    this.dom0 = lab.dom0;
    this.victim = lab.guest(VICTIM);
    this.neighbour = lab.guest(NEIGHBOUR);
  }

  /** Starts a process. It and its children are killed at the end of the fault. Returns its pid. */
  async start(machine: Machine, command: string): Promise<string> {
    const pid = (await machine.run(`setsid sh -c '${command}' </dev/null >/dev/null 2>&1 & echo $!`)).trim();
    this.#started.push({ machine, pid });
    return pid;
  }

  /** Starts a server that rests after each connection. Returns its pid. */
  async serve({ backlog, restMs, niceness = 0 }: Server, guest: Machine = this.victim): Promise<string> {
    const before = niceness === 0 ? '' : niced(niceness);
    const pid = await this.start(guest, `${before} exec /lab/slow-server ${SERVER_PORT} ${backlog} ${restMs}`);
    await guest.run(`until ss -Hltn | grep -q ":${SERVER_PORT} "; do sleep 0.1; done`);
    this.#server = pid;
    return pid;
  }

  /** Replaces the last server. */
  async restart(server: Server): Promise<void> {
    await this.stop(this.#server);
    await this.serve(server);
  }

  /** Kills a started process and its children before the end of the fault. */
  async stop(pid: string): Promise<void> {
    const index = this.#started.findIndex((started) => started.pid === pid);
    for (const started of index < 0 ? [] : this.#started.splice(index, 1)) await kill(started);
  }

  /** Waits until the server's accept queue is full and refuses the next connection. */
  async untilFull(backlog: number): Promise<void> {
    await this.victim.run(
      `until [ "$(ss -Hltn "sport = :${SERVER_PORT}" | awk '{ print $2 }')" -gt ${backlog} ]; do sleep 0.1; done`,
    );
  }

  /** Puts load of /lab/load on a guest. Returns its pid. */
  load(
    kind: 'connections' | 'syns' | 'packets' | 'apart',
    port: number,
    perSecond: number,
    guest: Machine = this.victim,
    from: Machine = this.dom0,
  ): Promise<string> {
    return this.start(from, `exec /lab/load ${kind} ${guest.ip} ${port} ${perSecond}`);
  }

  /**
   * Makes every packet to a guest as expensive as a long firewall list: filters that never match. A list holds up to
   * 4095.
   */
  async filter(guest: Machine, filters: number, keys = 1): Promise<void> {
    // The first keys match every packet.
    const others = 'match u32 0 0 at 0 '.repeat(keys - 1);
    await guest.run(`tc qdisc add dev eth0 ingress
      for n in $(seq ${filters}); do echo "filter add dev eth0 parent ffff: protocol ip prio $((1 + n / 4000)) u32 ${others}match ip src 192.0.2.$((n % 256)) match ip dport $((1000 + n)) 0xffff action pass"; done | tc -batch -`);
  }

  async unfilter(guest: Machine): Promise<void> {
    await guest.run('tc qdisc del dev eth0 ingress');
  }

  /** Opens as many connections as 40 clients can, each immediately after the last. */
  async storm(port: number): Promise<void> {
    await this.start(this.dom0, `while :; do ab -q -r -s 5 -n 100000 -c 40 http://${this.victim.ip}:${port}/; done`);
  }

  /** Starts a busy process for each vCPU of a guest. */
  async hog(guest: Machine, niceness = 19): Promise<void> {
    await this.start(guest, `for _ in $(seq $(nproc)); do nice -n ${niceness} busybox yes >/dev/null & done; wait`);
  }

  /** The same in one session, so that niceness also counts relative to other processes. */
  async hogTogether(guest: Machine, niceness: number): Promise<void> {
    await this.start(guest, `${niced(niceness)} for _ in $(seq $(nproc)); do busybox yes >/dev/null & done; wait`);
  }

  /** Sets a domain's parameters in the lab's scheduler, such as `-c 20`. */
  async schedule(domain: string, parameters: string): Promise<void> {
    await this.dom0.run(`xl sched-${this.lab.scheduler} -d ${domain} ${parameters}`);
  }

  /** Sets a domain's cap in percent of a CPU, and waits until Dom0's exporter has read it. */
  async cap(domain: string, percent: number): Promise<void> {
    await this.schedule(domain, `-c ${percent}`);
    await until(
      `the cap of ${domain} to be read`,
      async () =>
        ((await metricsOf(this.dom0)).value('xen_domain_scheduler_cap_cpus', { domain }) ?? 0) === percent / 100,
      { timeoutMs: 90_000, intervalMs: 1000 },
    );
  }

  /** Pins all vCPUs of a domain to physical CPUs, or to `all`. */
  async pin(domain: string, cpus: string): Promise<void> {
    await this.dom0.run(`xl vcpu-pin ${domain} all ${cpus}`);
  }

  /** Ends all started processes. */
  async clear(): Promise<void> {
    for (const started of this.#started.splice(0)) await kill(started);
  }
}

const kill = async ({ machine, pid }: Started): Promise<void> => {
  await machine.run(`kill -KILL -- -${pid} 2>/dev/null; while kill -0 -- -${pid} 2>/dev/null; do sleep 0.1; done`);
};

/**
 * Growth of each number that a script prints, over this time. The script must print the same number of values each
 * time.
 */
export const growth = async (machine: Machine, script: string, seconds: number): Promise<number[]> => {
  const looks = await machine.run(`look() {
    ${script}
    }
    look; sleep ${seconds}; look`);
  const numbers = looks.trim().split(/\s+/).map(Number);
  const count = numbers.length / 2;
  return numbers.slice(count).map((number, index) => number - numbers[index]!);
};

/** An alert about a domain. */
export interface Concern {
  alert: string;
  /** The label `domain`; undefined for alerts about a host. */
  domain: string | undefined;
}

/** Alerts about a neighbour that wants more than the shared CPU. */
export const neighbourStarves: readonly Concern[] = [
  { alert: 'XenVcpuStarved', domain: NEIGHBOUR },
  { alert: 'XenCreditExhaustion', domain: NEIGHBOUR },
];

/** The expected alert and its domain. */
export interface Expected extends Concern {
  severity: Severity;
  /** Causes that a page may name as the strongest. Default: the alert itself. */
  causes?: readonly string[];
  /** Further true tickets, such as those about a neighbour that suffers too. */
  besides?: readonly Concern[];
}

/** Causes that a page may name as the strongest. */
export const causesOf = ({ causes, alert }: Expected): readonly string[] => causes ?? [alert];

/** Tickets that are true during the fault: the expected alert, its causes, and further ones. */
export const trueTickets = (expected: Expected): Concern[] => [
  ...[expected.alert, ...causesOf(expected)].map((alert) => ({ alert, domain: expected.domain })),
  ...(expected.besides ?? []),
];

/** A failure of a host, with a mild form that must not page. */
export interface Fault {
  /** Name on the command line. */
  name: string;
  title: string;
  expected: Expected;
  /** A query in rules' time that must have a result before the fault, such as a history for comparison. */
  precondition?: string;
  /** Starts what runs before, during and after both of the following, in its own scene. */
  steady?(scene: Scene): Promise<void>;
  /** Resolves when the fault has reached full strength. */
  inject(scene: Scene): Promise<void>;
  nearMiss(scene: Scene): Promise<void>;
  /**
   * A runbook's commands, which must resolve the alert while the load continues. Without it the fault's end resolves
   * the alert.
   */
  mitigate?(scene: Scene): Promise<void>;
  /** Undoes the effects of both that outlive their processes. */
  undo?(scene: Scene): Promise<void>;
}

/** A harmless load. */
export interface HealthyLoad {
  name: string;
  title: string;
  /** Info alerts that are true during the load. */
  besides?: readonly Concern[];
  begin(scene: Scene): Promise<void>;
  undo?(scene: Scene): Promise<void>;
}
