import { cpSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileFlags, hostFlags } from './copied-host.ts';
import { TempTree } from './fake-host.ts';
import { guestRoot } from './guests.ts';
import { copyOfHost, hostRoot } from './hosts.ts';

/** Files whose numbers only grow, below a machine's root. */
const counterFiles =
  /^(proc\/(stat|interrupts|net\/(netstat|snmp|dev)|\d+\/schedstat)|sys\/.*\/(statistics\/\w+|xenbus\/\w*events))$/;
/** Files with current states that differ between idle and storm. */
const stateFiles = ['proc/net/tcp', 'commands/xl vcpu-list'];

const number = /\d+(?:\.\d+)?/g;

/**
 * Interpolates each number of `idle` towards that of `storm`: progress 0 is idle, 1 the storm. Undefined if the texts
 * differ otherwise.
 */
const between = (idle: string, storm: string, progress: number): string | undefined => {
  const later = storm.match(number) ?? [];
  if (idle.replaceAll(number, '#').replaceAll(/\s+/g, ' ') !== storm.replaceAll(number, '#').replaceAll(/\s+/g, ' '))
    return undefined;
  let index = 0;
  return idle.replaceAll(number, (from) => {
    const to = later[index++]!;
    return to === from ? from : String(Math.round(Number(from) + (Number(to) - Number(from)) * progress));
  });
};

/** Run time of the first CPU in all modes: USER_HZ is 100. */
const secondsOfCpu = (stat: string): number =>
  /^cpu0 (.*)$/m
    .exec(stat)![1]!
    .split(' ')
    .slice(0, 8)
    .reduce((sum, ticks) => sum + Number(ticks), 0) / 100;

/** The files below a folder. It follows no links: a vif and its device link to each other. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });

/** A machine that was captured idle, and later in the storm. */
class ReplayedMachine implements Disposable {
  readonly tree: TempTree;
  readonly #counters: { name: string; idle: string; storm: string }[] = [];
  readonly #states: { name: string; idle: string; storm: string }[] = [];
  /** Time between the two captures. */
  readonly #secondsBetween: number;

  constructor(tree: TempTree, storm: string) {
    this.tree = tree;
    const stormRoot = realpathSync(storm);
    for (const path of filesBelow(stormRoot)) {
      const name = relative(stormRoot, path);
      if (!counterFiles.test(name) && !stateFiles.includes(name)) continue;
      let idle: string;
      try {
        idle = readFileSync(tree.path(name), 'utf8');
      } catch {
        // A process or device that appeared with the storm.
        continue;
      }
      const file = { name, idle, storm: readFileSync(join(stormRoot, name), 'utf8') };
      (stateFiles.includes(name) ? this.#states : this.#counters).push(file);
    }
    const { idle, storm: later } = this.#counters.find(({ name }) => name === 'proc/stat')!;
    this.#secondsBetween = secondsOfCpu(later) - secondsOfCpu(idle);
  }

  /**
   * Advances the counters by the machine's growth in this time. A faster replay is absurd: a CPU has one second per
   * second.
   */
  count(seconds: number): void {
    const progress = seconds / this.#secondsBetween;
    for (const { name, idle, storm } of this.#counters) {
      const text = between(idle, storm, progress);
      if (text !== undefined) this.#write(name, text);
    }
  }

  /** `change` modifies the storm's text. */
  show(which: 'idle' | 'storm', change: (text: string) => string = (text) => text): void {
    for (const file of this.#states) this.#write(file.name, change(file[which]));
  }

  #write(name: string, text: string): void {
    // Replace atomically.
    writeFileSync(this.tree.path(`${name}.new`), text);
    renameSync(this.tree.path(`${name}.new`), this.tree.path(name));
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
  }
}

const ticksPerSecond = 10;
const fullQueue = '00000000:00000009';
const queueAfterAccepts = '00000000:00000005';

/**
 * A captured Dom0 and its guest. Their counters go from idle through the storm and continue for as long as it lasts.
 */
export class StormReplay implements Disposable {
  readonly #dom0 = new ReplayedMachine(copyOfHost('credit-idle').tree, hostRoot('credit-storm'));
  readonly #guest: ReplayedMachine;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor() {
    const tree = new TempTree();
    cpSync(guestRoot('pv-idle'), tree.root, { recursive: true, verbatimSymlinks: true });
    // ss output for the same listener in the same storm, from another boot.
    const ss = join(guestRoot('pv-netlink-storm'), 'netlink/ss-Hltnm');
    tree.writeScript('ss', `cat '${ss}'`);
    this.#guest = new ReplayedMachine(tree, guestRoot('pv-storm'));
  }

  /** Files of both machines. A test may add files before their exporters start. */
  get trees(): { dom0: TempTree; guest: TempTree } {
    return { dom0: this.#dom0.tree, guest: this.#guest.tree };
  }

  /** Flags for the exporters in Dom0 and in the guest. */
  get flags(): { dom0: string[]; guest: string[] } {
    const [dom0, guest] = [this.#dom0.tree.root, this.#guest.tree.root];
    return {
      dom0: [...hostFlags(dom0), '--toolstack.interval=1'],
      guest: [...fileFlags(guest), `--path.tools=${guest}`],
    };
  }

  begin(): void {
    this.#dom0.show('storm');
    this.#timer = setInterval(() => this.#tick(), 1000 / ticksPerSecond);
  }

  /** Stops the counters and empties the queue. */
  end(): void {
    clearInterval(this.#timer);
    this.#dom0.show('idle');
    this.#guest.show('idle');
  }

  #tick(): void {
    this.#ticks += 1;
    // The server takes some connections from the queue, which soon is full again.
    const isFull = this.#ticks % 4 !== 0;
    this.#guest.show('storm', (text) => (isFull ? text : text.replace(fullQueue, queueAfterAccepts)));
    if (this.#ticks % 5 !== 0) return;
    const seconds = this.#ticks / ticksPerSecond;
    this.#guest.count(seconds);
    this.#dom0.count(seconds);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#dom0[Symbol.dispose]();
    this.#guest[Symbol.dispose]();
  }
}
