import type { Severity } from '../../src/pack/alerts/alert.ts';
import { until } from '../../tools/lib/until.ts';
import { metricsOf } from '../harness/exporter.ts';
import type { Lab } from '../harness/lab.ts';
import type { Machine } from '../harness/machine.ts';

/** The guest that faults are done to. */
export const VICTIM = 'domu1';
export const NEIGHBOUR = 'domu2';

/** Of the server that faults start in the victim; its own on port 80 answers everybody all the time. */
export const SERVER_PORT = 8080;

interface Started {
  machine: Machine;
  /** Of its process group. */
  pid: string;
}

interface Server {
  backlog: number;
  restMs: number;
  niceness?: number;
}

/**
 * What a command begins with whose processes are to go behind others, or before them. A kernel with autogroups divides CPU time by session first, and a
 * niceness counts within one session only: so both are set.
 */
const niced = (niceness: number): string =>
  `echo ${niceness} >/proc/self/autogroup 2>/dev/null; renice -n ${niceness} -p $$;`;

/** A lab in which faults are done, and the processes that they start there. */
export class Scene {
  readonly lab: Lab;
  readonly dom0: Machine;
  readonly victim: Machine;
  readonly neighbour: Machine;
  readonly #started: Started[] = [];
  /** The pid of the server in the victim. */
  #server = '';

  constructor(lab: Lab) {
    this.lab = lab;
    this.dom0 = lab.dom0;
    this.victim = lab.guest(VICTIM);
    this.neighbour = lab.guest(NEIGHBOUR);
  }

  /** Starts a process; it and its children are killed at the end of the fault. Returns its pid. */
  async start(machine: Machine, command: string): Promise<string> {
    const pid = (await machine.run(`setsid sh -c '${command}' </dev/null >/dev/null 2>&1 & echo $!`)).trim();
    this.#started.push({ machine, pid });
    return pid;
  }

  /** A server that rests so long after each connection. Returns its pid. */
  async serve({ backlog, restMs, niceness = 0 }: Server, guest: Machine = this.victim): Promise<string> {
    const before = niceness === 0 ? '' : niced(niceness);
    const pid = await this.start(guest, `${before} exec /lab/slow-server ${SERVER_PORT} ${backlog} ${restMs}`);
    await guest.run(`until ss -Hltn | grep -q ":${SERVER_PORT} "; do sleep 0.1; done`);
    this.#server = pid;
    return pid;
  }

  /** Another server in the place of the last. */
  async restart(server: Server): Promise<void> {
    await this.stop(this.#server);
    await this.serve(server);
  }

  /** Kills a started process and its children before the end of the fault. */
  async stop(pid: string): Promise<void> {
    const index = this.#started.findIndex((started) => started.pid === pid);
    for (const started of index < 0 ? [] : this.#started.splice(index, 1)) await kill(started);
  }

  /** Waits until the server's accept queue is full, which refuses the next connection. */
  async untilFull(backlog: number): Promise<void> {
    await this.victim.run(
      `until [ "$(ss -Hltn "sport = :${SERVER_PORT}" | awk '{ print $2 }')" -gt ${backlog} ]; do sleep 0.1; done`,
    );
  }

  /** Load upon a guest, as /lab/load knows it. Returns its pid. */
  load(
    kind: 'connections' | 'syns' | 'packets' | 'apart',
    port: number,
    perSecond: number,
    guest: Machine = this.victim,
    from: Machine = this.dom0,
  ): Promise<string> {
    return this.start(from, `exec /lab/load ${kind} ${guest.ip} ${port} ${perSecond}`);
  }

  /** Makes every packet that comes to a guest as dear as a long list of a firewall would: filters, none of which matches. 4095 go into one list. */
  async filter(guest: Machine, filters: number, keys = 1): Promise<void> {
    // The first ones match whatever comes.
    const others = 'match u32 0 0 at 0 '.repeat(keys - 1);
    await guest.run(`tc qdisc add dev eth0 ingress
      for n in $(seq ${filters}); do echo "filter add dev eth0 parent ffff: protocol ip prio $((1 + n / 4000)) u32 ${others}match ip src 192.0.2.$((n % 256)) match ip dport $((1000 + n)) 0xffff action pass"; done | tc -batch -`);
  }

  async unfilter(guest: Machine): Promise<void> {
    await guest.run('tc qdisc del dev eth0 ingress');
  }

  /** As many connections as 40 clients get, each at once after the last. */
  async storm(port: number): Promise<void> {
    await this.start(this.dom0, `while :; do ab -q -r -s 5 -n 100000 -c 40 http://${this.victim.ip}:${port}/; done`);
  }

  /** A busy process for each vCPU of a guest. */
  async hog(guest: Machine, niceness = 19): Promise<void> {
    await this.start(guest, `for _ in $(seq $(nproc)); do nice -n ${niceness} busybox yes >/dev/null & done; wait`);
  }

  /** The same, all of one session, so that their niceness counts among the processes of others too. */
  async hogTogether(guest: Machine, niceness: number): Promise<void> {
    await this.start(guest, `${niced(niceness)} for _ in $(seq $(nproc)); do busybox yes >/dev/null & done; wait`);
  }

  /** Sets parameters of the domain in the lab's scheduler, such as `-c 20`. */
  async schedule(domain: string, parameters: string): Promise<void> {
    await this.dom0.run(`xl sched-${this.lab.scheduler} -d ${domain} ${parameters}`);
  }

  /** Sets the cap of a domain, in percent of a CPU, and waits until Dom0's exporter has read it. */
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

  /** Ends all processes that were started. */
  async clear(): Promise<void> {
    for (const started of this.#started.splice(0)) await kill(started);
  }
}

const kill = async ({ machine, pid }: Started): Promise<void> => {
  await machine.run(`kill -KILL -- -${pid} 2>/dev/null; while kill -0 -- -${pid} 2>/dev/null; do sleep 0.1; done`);
};

/** How much each number that a script prints grows in so many seconds. The script prints as many each time. */
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
  /** The label `domain`; undefined of what is about a host. */
  domain: string | undefined;
}

/** Of a neighbour that wants more than the CPU that it shares. */
export const neighbourStarves: readonly Concern[] = [
  { alert: 'XenVcpuStarved', domain: NEIGHBOUR },
  { alert: 'XenCreditExhaustion', domain: NEIGHBOUR },
];

/** What is to be told, and of whom. */
export interface Expected extends Concern {
  severity: Severity;
  /** Any of these may be named as the strongest cause by a page; without them, the alert itself. */
  causes?: readonly string[];
  /** Tickets that are true beside it, such as those of a neighbour who is harmed too. */
  besides?: readonly Concern[];
}

/** What a page may name as the strongest. */
export const causesOf = ({ causes, alert }: Expected): readonly string[] => causes ?? [alert];

/** Tickets that are true while the fault is there: of what is expected, of its causes, and of what is true beside it. */
export const trueTickets = (expected: Expected): Concern[] => [
  ...[expected.alert, ...causesOf(expected)].map((alert) => ({ alert, domain: expected.domain })),
  ...(expected.besides ?? []),
];

/** Something that goes wrong on a host, and the same thing done so mildly that nobody is to be paged. */
export interface Fault {
  /** As it is asked for. */
  name: string;
  title: string;
  expected: Expected;
  /** A query in the time of the rules that must have an answer before the fault is done, such as a history to compare with. */
  precondition?: string;
  /** Begins what goes on before, in and after both of the following, on a scene of its own. */
  steady?(scene: Scene): Promise<void>;
  /** Returns when it is as wrong as it gets. */
  inject(scene: Scene): Promise<void>;
  nearMiss(scene: Scene): Promise<void>;
  /** What a runbook says to type, which is to end the alert while the load goes on. Without it the end of the fault is the cure. */
  mitigate?(scene: Scene): Promise<void>;
  /** Of both, what is not undone by ending their processes. */
  undo?(scene: Scene): Promise<void>;
}

/** A load that does no harm. */
export interface HealthyLoad {
  name: string;
  title: string;
  /** Notes for information that are true while the load lasts. */
  besides?: readonly Concern[];
  begin(scene: Scene): Promise<void>;
  undo?(scene: Scene): Promise<void>;
}
