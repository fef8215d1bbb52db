import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FileError, FileTree } from '../../src/host/file-tree.ts';
import type { Tracefs } from '../../src/host/tracefs.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';

/** Counts of a hist trigger. */
export interface TableContent {
  /** Rows as the kernel prints them. */
  rows?: readonly string[];
  dropped?: number;
}

const folder = 'sys/kernel/tracing';
const noTriggers =
  '# Available triggers:\n# traceon traceoff snapshot stacktrace enable_event disable_event enable_hist disable_hist hist\n';

/**
 * Linux 6.1's tracefs with probes and hist triggers: their dependencies, and the kernel's errors. It counts nothing
 * itself.
 */
export class FakeTracefs implements Tracefs {
  readonly files: FileTree;
  /** Writes in order. */
  readonly written: string[] = [];
  /** Functions that cannot be probed. */
  readonly unknown = new Set<string>();
  /** Errors by file, or by the beginning of a command. */
  readonly refusals = new Map<string, string>();
  /** Lines of kprobe_events and synthetic_events. */
  probes: string[] = [];
  synthetic: string[] = [];
  readonly instances = new Map<string, Map<string, string[]>>();
  /** Tables of an event by its folder in the instance, in the order of its triggers. */
  readonly tables = new Map<string, readonly TableContent[]>();
  /** Hits and misses by event. */
  readonly profile = new Map<string, readonly [hits: number, missed: number]>();
  errorLog = '';
  /** Whether an exporter holds the lock. */
  isLocked = false;
  /** Called for each read of a file. */
  onRead: (name: string) => void = () => {};
  readonly #tree: TempTree;

  constructor(tree: TempTree) {
    this.#tree = tree;
    this.files = new FileTree(tree.path(folder));
    tree.write({
      ...Object.fromEntries(
        ['README', 'kprobe_events', 'kprobe_profile', 'synthetic_events'].map((name) => [`${folder}/${name}`, '']),
      ),
      [`${folder}/events/sched/sched_switch/hist`]: '',
    });
    mkdirSync(tree.path(`${folder}/instances`));
  }

  /** All existing probes, events and instances, of any owner. */
  get state(): { probes: string[]; synthetic: string[]; instances: string[] } {
    return { probes: this.probes, synthetic: this.synthetic, instances: [...this.instances.keys()] };
  }

  async lock(): Promise<Disposable | undefined> {
    if (this.isLocked) return undefined;
    this.isLocked = true;
    return { [Symbol.dispose]: () => void (this.isLocked = false) };
  }

  async read(name: string): Promise<string> {
    this.onRead(name);
    this.#refuse(name, name);
    const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');
    if (name === 'kprobe_events') return lines(this.probes);
    if (name === 'synthetic_events') return lines(this.synthetic.map((line) => line.replace(' ', '\t')));
    if (name === 'kprobe_profile')
      return lines(this.probes.map((probe) => this.#profileLine(eventOf(probe).split('/')[1]!)));
    if (name.endsWith('/error_log')) return this.errorLog;
    const [, instance = '', event = '', file] = /^instances\/([^/]+)\/events\/(.+)\/(\w+)$/.exec(name) ?? [];
    const triggers = this.#triggers(instance, event, name);
    if (file === 'trigger')
      return triggers.length === 0 ? noTriggers : lines(triggers.map((each) => `${each} [active]`));
    return triggers.map((trigger, i) => table(trigger, this.tables.get(event)?.[i])).join('\n');
  }

  async append(name: string, command: string): Promise<void> {
    this.written.push(`${name}: ${command}`);
    this.#refuse(command, name);
    if (name === 'kprobe_events') return this.#changeProbes(command, name);
    if (name === 'synthetic_events') return this.#changeSynthetic(command, name);
    const [, instance = '', event = ''] = /^instances\/([^/]+)\/events\/(.+)\/trigger$/.exec(name) ?? [];
    const triggers = this.#triggers(instance, event, name);
    const [, from, result] = /:onmatch\(([\w.]+)\)\.(\w+)\(/.exec(command) ?? [];
    if (from !== undefined) {
      const isSet = this.instances
        .get(instance)!
        .get(from.replace('.', '/'))
        ?.some((each) => each.includes('=common_timestamp:'));
      if (!isSet || !this.synthetic.some((line) => line.startsWith(`${result} `))) throw this.#error(name, 'EINVAL');
    }
    triggers.push(command);
  }

  async set(name: string, value: string): Promise<void> {
    this.written.push(`${name}= ${value}`);
    this.#refuse(name, name);
  }

  async clearHists(event: string): Promise<void> {
    this.written.push(`clear ${event}`);
    const [, instance = '', name = ''] = /^instances\/([^/]+)\/events\/(.+)$/.exec(event) ?? [];
    const triggers = this.#triggers(instance, name, event);
    const reference = `:onmatch(${name.replace('/', '.')})`;
    // The kernel does not report that it did nothing.
    if ([...this.instances.get(instance)!.values()].flat().some((each) => each.includes(reference))) return;
    triggers.length = 0;
  }

  async makeInstance(name: string): Promise<void> {
    this.written.push(`mkdir ${name}`);
    this.#refuse(`instances/${name}`, `instances/${name}`);
    if (this.instances.has(name)) throw this.#error(`instances/${name}`, 'EEXIST');
    this.instances.set(name, new Map());
    mkdirSync(this.#path(`instances/${name}`));
    for (const event of [...this.probes.map(eventOf), ...this.synthetic.map(syntheticEventOf)]) this.#addEvent(event);
  }

  async removeInstance(name: string): Promise<void> {
    this.written.push(`rmdir ${name}`);
    if ([...(this.instances.get(name)?.values() ?? [])].some((triggers) => triggers.length > 0)) {
      throw this.#error(`instances/${name}`, 'EBUSY');
    }
    if (!this.instances.delete(name)) throw this.#error(`instances/${name}`, 'ENOENT');
    rmSync(this.#path(`instances/${name}`), { recursive: true });
  }

  #changeProbes(command: string, name: string): void {
    const [, removed] = /^-:(.+)$/.exec(command) ?? [];
    if (removed !== undefined) {
      if (this.#isUsed(removed)) throw this.#error(name, 'EBUSY');
      if (!this.probes.some((probe) => eventOf(probe) === removed)) throw this.#error(name, 'ENOENT');
      this.probes = this.probes.filter((probe) => eventOf(probe) !== removed);
      return this.#removeEvent(removed);
    }
    const watched = command.split(' ')[1]!;
    if (this.unknown.has(watched)) throw this.#error(name, 'ENOENT');
    this.probes.push(command);
    this.#addEvent(eventOf(command));
  }

  #changeSynthetic(command: string, name: string): void {
    if (command.startsWith('!')) {
      const event = syntheticEventOf(command.slice(1));
      if (this.#isUsed(event)) throw this.#error(name, 'EBUSY');
      this.synthetic = this.synthetic.filter((line) => syntheticEventOf(line) !== event);
      return this.#removeEvent(event);
    }
    this.synthetic.push(command);
    this.#addEvent(syntheticEventOf(command));
  }

  #isUsed(event: string): boolean {
    return [...this.instances.values()].some((events) => (events.get(event)?.length ?? 0) > 0);
  }

  #addEvent(event: string): void {
    for (const [instance, events] of this.instances) {
      if (!events.has(event)) events.set(event, []);
      mkdirSync(this.#path(`instances/${instance}/events/${event}`), { recursive: true });
    }
  }

  #removeEvent(event: string): void {
    for (const [instance, events] of this.instances) {
      events.delete(event);
      rmSync(this.#path(`instances/${instance}/events/${event}`), { recursive: true });
    }
  }

  #triggers(instance: string, event: string, path: string): string[] {
    const triggers = this.instances.get(instance)?.get(event);
    if (!triggers) throw this.#error(path, 'ENOENT');
    return triggers;
  }

  #profileLine(event: string): string {
    const [hits, missed] = this.profile.get(event) ?? [0, 0];
    return `  ${event.padEnd(44)} ${String(hits).padStart(15)} ${String(missed).padStart(15)}`;
  }

  #refuse(what: string, path: string): void {
    for (const [beginning, code] of this.refusals) if (what.startsWith(beginning)) throw this.#error(path, code);
  }

  #error(name: string, code: string): FileError {
    return new FileError(this.files.path(name), code, code);
  }

  #path(name: string): string {
    const path = join(this.#tree.path(folder), name);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  }
}

const eventOf = (probe: string): string => /^[pr]\d*:(\S+)/.exec(probe)![1]!;
const syntheticEventOf = (line: string): string => `synthetic/${line.split(' ')[0]}`;

const table = (trigger: string, { rows = [], dropped = 0 }: TableContent = {}): string => {
  const hits = rows.reduce((sum, row) => sum + Number(/.*hitcount: +(\d+)/.exec(row)![1]), 0);
  return `# event histogram
#
# trigger info: ${trigger.replace(/ if .*/, '')} [active]
#

${rows.map((row) => `${row}\n`).join('')}
Totals:
    Hits: ${hits}
    Entries: ${rows.length}
    Dropped: ${dropped}
`;
};
