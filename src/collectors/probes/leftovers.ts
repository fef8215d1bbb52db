import { Unavailable, type Availability } from '../../host/unavailable.ts';
import { parseProcessIdentity } from '../../formats/proc-pid-stat.ts';
import { unlessMissing, type FileTree } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import type { Tracefs } from '../../host/tracefs.ts';
import { parsed } from '../../sources/parsed.ts';
import { ours } from './probe-sets.ts';

type TraceHost = Pick<Host, 'procfs' | 'tracefs'>;

/** Another exporter has its probes here. They are left alone. */
export class AnotherExporter extends Error {
  override readonly name = 'AnotherExporter';
}

// A process is known by its number and its start: numbers are given again.
const instanceName = new RegExp(`^${ours}_(\\d+)_(\\d+)$`);

const startOf = (procfs: FileTree, pid: string): number | undefined =>
  unlessMissing(() => parsed(procfs, `${pid}/stat`, parseProcessIdentity))?.startTicks;

/** What the instance of this process is called. Throws FileError or ParseError. */
export const ownInstance = (procfs: FileTree): string => {
  const { pid, startTicks } = parsed(procfs, 'self/stat', parseProcessIdentity);
  return `${ours}_${pid}_${startTicks}`;
};

/** True where tracefs is mounted, else the reason. Throws FileError where it may not be looked at. */
export const needsTracefs = (files: FileTree): Availability => {
  const isThere = (unlessMissing(() => files.unsorted('.')) ?? []).length > 0;
  const root = files.path('');
  return isThere || new Unavailable(`there is no tracefs at ${root} (mount -t tracefs nodev ${root}, or path.tracefs)`);
};

const instancesOfOurs = ({ files }: Tracefs): string[] =>
  files.listIfAny('instances').filter((name) => instanceName.test(name));

/** Throws AnotherExporter where there is an instance of a process that lives, but for `own`. */
const checkNobodyElse = ({ procfs, tracefs }: TraceHost, own: string | undefined): void => {
  for (const name of instancesOfOurs(tracefs)) {
    const [, pid = '', startTicks] = instanceName.exec(name) ?? [];
    if (name === own || startOf(procfs, pid) !== Number(startTicks)) continue;
    throw new AnotherExporter(`process ${pid}, another xen-exporter, has probes in ${tracefs.files.path('')}`);
  }
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

/** Which of the events have triggers; first those whose refer to another event. */
const armedEvents = async (tracefs: Tracefs, events: readonly string[]): Promise<string[]> => {
  const set: { event: string; refers: boolean }[] = [];
  for (const event of events) {
    const text = await tracefs.read(`${event}/trigger`);
    // Where there are none, a comment says which there could be.
    if (!/^[^#\n]/m.test(text)) continue;
    set.push({ event, refers: text.includes(':onmatch(') });
  }
  return set.sort((a, b) => Number(b.refers) - Number(a.refers)).map(({ event }) => event);
};

// A trigger stays, without an error, while another refers to it.
const mostRounds = 3;

/** Takes away all triggers of the events of ours in an instance: nothing is watched any longer. Rejects with FileError. */
export const clearInstance = async (tracefs: Tracefs, instance: string): Promise<void> => {
  const events = eventsOfOurs(tracefs, instance);
  for (let round = 0; round < mostRounds; round += 1) {
    const armed = await armedEvents(tracefs, events);
    if (armed.length === 0) return;
    for (const event of armed) await tracefs.clearHists(event);
  }
  throw new Error(`triggers in ${tracefs.files.path(`instances/${instance}`)} cannot be taken away`);
};

/** A kernel without such events has no file of them. */
const eventsIn = async (tracefs: Tracefs, file: string, line: RegExp): Promise<string[]> =>
  tracefs.files.exists(file) ? [...(await tracefs.read(file)).matchAll(line)].map(([, name]) => name!) : [];

/**
 * Takes away every instance, synthetic event and probe that an exporter has left behind, of `own` too; nothing else. Returns what it took away.
 * Rejects with AnotherExporter while another one that lives has some, and with FileError.
 */
export const removeLeftovers = async (host: TraceHost, own?: string): Promise<string[]> => {
  const { tracefs } = host;
  checkNobodyElse(host, own);
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

/** Makes the instance of this process, small, and with nothing recorded in it. Rejects with AnotherExporter and FileError. */
export const makeInstance = async (host: TraceHost, own: string): Promise<void> => {
  const { tracefs } = host;
  await tracefs.makeInstance(own);
  try {
    // One that began at the same moment has seen ours by now, or we see its.
    checkNobodyElse(host, own);
  } catch (error) {
    await tracefs.removeInstance(own);
    throw error;
  }
  await tracefs.set(`instances/${own}/tracing_on`, '0');
  // Of each CPU. New ones are as large as that of the whole kernel may be, 1.4 MB, and we have no use for it.
  await tracefs.set(`instances/${own}/buffer_size_kb`, '1');
};
