import { Unavailable, type Availability } from '../../host/unavailable.ts';
import { parseProcessIdentity } from '../../formats/proc-pid-stat.ts';
import { unlessMissing, type FileTree } from '../../host/file-tree.ts';
import type { Tracefs } from '../../host/tracefs.ts';
import { parsed } from '../../sources/parsed.ts';
import { ours } from './probe-sets.ts';

/** Another exporter has probes in this kernel. They are not touched. */
export class AnotherExporter extends Error {
  override readonly name = 'AnotherExporter';
}

const instanceName = new RegExp(`^${ours}_\\d+_\\d+$`);

/** Name of this process's tracefs instance. Throws FileError or ParseError. */
export const ownInstance = (procfs: FileTree): string => {
  const { pid, startTicks } = parsed(procfs, 'self/stat', parseProcessIdentity);
  return `${ours}_${pid}_${startTicks}`;
};

/** True if tracefs is mounted, else the reason. Throws FileError if access is denied. */
export const needsTracefs = (files: FileTree): Availability => {
  const isThere = (unlessMissing(() => files.unsorted('.')) ?? []).length > 0;
  const root = files.path('');
  return isThere || new Unavailable(`no tracefs at ${root} (mount -t tracefs nodev ${root}, or path.tracefs)`);
};

const instancesOfOurs = ({ files }: Tracefs): string[] =>
  files.listIfAny('instances').filter((name) => instanceName.test(name));

/**
 * Locks the setting and removal of probes. Rejects with AnotherExporter while another running exporter holds the lock.
 */
export const lockProbes = async (tracefs: Tracefs): Promise<Disposable> => {
  const lock = await tracefs.lock();
  if (lock) return lock;
  const instances = instancesOfOurs(tracefs).map((name) => `instances/${name}`);
  throw new AnotherExporter(
    `another running xen-exporter has probes in ${tracefs.files.path('')} (${instances.join(', ') || 'no instance yet'})`,
  );
};

const eventsOfOurs = ({ files }: Tracefs, instance: string): string[] => {
  const folder = `instances/${instance}/events`;
  const isOurs = (name: string): boolean => name.startsWith(`${ours}_`);
  return [`${folder}/synthetic`, `${folder}/${ours}`].flatMap((system) =>
    files
      .listIfAny(system)
      .filter(isOurs)
      .map((event) => `${system}/${event}`),
  );
};

/** Events that have triggers. Events whose triggers refer to another event come first. */
const armedEvents = async (tracefs: Tracefs, events: readonly string[]): Promise<string[]> => {
  const set: { event: string; refers: boolean }[] = [];
  for (const event of events) {
    const text = await tracefs.read(`${event}/trigger`);
    // Without triggers the file contains a comment that lists the possible ones.
    if (!/^[^#\n]/m.test(text)) continue;
    set.push({ event, refers: text.includes(':onmatch(') });
  }
  return set.sort((a, b) => Number(b.refers) - Number(a.refers)).map(({ event }) => event);
};

// The kernel silently keeps a trigger while another one refers to it.
const mostRounds = 3;

/** Removes all triggers of our events in an instance, so nothing is recorded. Rejects with FileError. */
export const clearInstance = async (tracefs: Tracefs, instance: string): Promise<void> => {
  const events = eventsOfOurs(tracefs, instance);
  for (let round = 0; round < mostRounds; round += 1) {
    const armed = await armedEvents(tracefs, events);
    if (armed.length === 0) return;
    for (const event of armed) await tracefs.clearHists(event);
  }
  throw new Error(`triggers in ${tracefs.files.path(`instances/${instance}`)} cannot be removed`);
};

/** Lists events of a file, which kernels without such events lack. */
const eventsIn = async (tracefs: Tracefs, file: string, line: RegExp): Promise<string[]> =>
  tracefs.files.exists(file) ? [...(await tracefs.read(file)).matchAll(line)].map(([, name]) => name!) : [];

/**
 * Removes all instances, synthetic events and probes of exporters, and nothing else. The caller holds the lock, so no
 * other exporter runs. Returns what was removed. Rejects with FileError.
 */
export const removeLeftovers = async (tracefs: Tracefs): Promise<string[]> => {
  const removed: string[] = [];
  for (const instance of instancesOfOurs(tracefs)) {
    await clearInstance(tracefs, instance);
    await tracefs.removeInstance(instance);
    removed.push(`instances/${instance}`);
  }
  for (const name of await eventsIn(tracefs, 'synthetic_events', new RegExp(`^(${ours}_\\w+)\\s`, 'gm'))) {
    await tracefs.append('synthetic_events', `!${name}`);
    removed.push(`synthetic event ${name}`);
  }
  for (const name of await eventsIn(tracefs, 'kprobe_events', new RegExp(`^[pr]\\d*:(${ours}/\\w+)\\s`, 'gm'))) {
    await tracefs.append('kprobe_events', `-:${name}`);
    removed.push(`probe ${name}`);
  }
  return removed;
};

/** Creates this process's instance, small and with recording off. Rejects with FileError. */
export const makeInstance = async (tracefs: Tracefs, own: string): Promise<void> => {
  await tracefs.makeInstance(own);
  await tracefs.set(`instances/${own}/tracing_on`, '0');
  // Buffer size per CPU. By default a new buffer can be as large as the kernel's, 1.4 MB. We do not use it.
  await tracefs.set(`instances/${own}/buffer_size_kb`, '1');
};
