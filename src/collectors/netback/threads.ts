import { parsePidStat } from '../../formats/proc-pid-stat.ts';
import { unlessMissing, type FileTree } from '../../host/file-tree.ts';
import type { Clock } from '../../host/clock.ts';
import { parsed, readItem } from '../../sources/parsed.ts';

/** The kernel threads of a queue. */
export type ThreadName = 'guest-rx' | 'dealloc';

const kthreadd = 2;
const secondsBetweenVainSearches = 60;

/** Threads go by their queue: `vif1.0-q0`, or with `vifname` of the guest's configuration, that. */
export const queueName = (netDevice: string, queue: string): string => `${netDevice}-q${queue}`;

// Names are cut to 15 characters before Linux 5.17: vif12.0-q0-gues. Where even the first letter is cut off, nobody
// knows which it is.
const threadName = /^(.+-q\d+)-([gd])/;

/** Finds the kernel threads of netback's queues. They live as long as frontend and backend are connected. */
export class Threads {
  readonly #clock: Clock;
  #pids = new Map<string, Map<ThreadName, string>>();
  /** Processes that are none. */
  #others = new Set<string>();
  /** Queues whose threads a search did not find. */
  #notFound = new Set<string>();
  #searchedAt = -Infinity;
  #unreadable: { readonly processes: number; readonly first: Error } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(queue: string): ReadonlyMap<ThreadName, string> {
    return this.#pids.get(queue) ?? new Map();
  }

  /**
   * Processes that the last search could not look at, of which some may be threads (hidepid= of proc(5)), and the first
   * one's error.
   */
  get unreadable(): { readonly processes: number; readonly first: Error } | undefined {
    return this.#unreadable;
  }

  /** Threads of this queue are gone: they will be looked for again. */
  forget(queue: string): void {
    this.#pids.delete(queue);
  }

  /**
   * Looks for the threads of these queues, where it is needed: all of /proc must be gone through. Yields between
   * processes. Throws FileError.
   */
  *find(procfs: FileTree, queues: readonly string[]): Iterable<void> {
    const now = this.#clock.monotonicSeconds();
    const isTimeForVainSearch = now - this.#searchedAt > secondsBetweenVainSearches;
    const wanted = queues.filter((queue) => !this.#pids.has(queue));
    if (!wanted.some((queue) => isTimeForVainSearch || !this.#notFound.has(queue))) return;
    this.#searchedAt = now;

    const errors: Error[] = [];
    const skips = { skip: (error: Error) => void errors.push(error) };
    const others = new Set<string>();
    const pids = new Map<string, Map<ThreadName, string>>();
    for (const pid of procfs.unsorted('.')) {
      if (!/^\d+$/.test(pid)) continue;
      if (this.#others.has(pid)) {
        others.add(pid);
        continue;
      }
      yield;
      const stat = readItem(skips, () => unlessMissing(() => parsed(procfs, `${pid}/stat`, parsePidStat)) ?? 'gone');
      if (stat === undefined) continue;
      const isThread = stat !== 'gone' && stat.parentPid === kthreadd;
      const [, queue, initial] = (isThread && threadName.exec(stat.comm)) || [];
      if (queue === undefined) {
        others.add(pid);
        continue;
      }
      const threads = pids.get(queue) ?? new Map<ThreadName, string>();
      pids.set(queue, threads);
      threads.set(initial === 'g' ? 'guest-rx' : 'dealloc', pid);
    }
    this.#unreadable = errors[0] && { processes: errors.length, first: errors[0] };
    this.#others = others;
    this.#pids = pids;
    this.#notFound = new Set(queues.filter((queue) => !pids.has(queue)));
  }
}
