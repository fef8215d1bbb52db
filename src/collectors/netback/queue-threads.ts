import type { IoRingFile } from '../../formats/io-ring.ts';
import { parsePidSchedstat, type ProcPidSchedstat } from '../../formats/proc-pid-schedstat.ts';
import type { FileTree } from '../../host/file-tree.ts';
import type { Labels } from '../../metrics/labels.ts';
import type { Output } from '../../metrics/output.ts';
import { parsedCachedIfAny, readItem } from '../../sources/parsed.ts';
import { metrics, threadLabels, type vifLabels } from './metrics.ts';
import { queueName, type ThreadName, type Threads } from './threads.ts';
import type { VifQueues } from './rings.ts';

const nanosecondsPerSecond = 1e9;

/** A thread as it was read last, and the work that it had been given by then. */
interface Idle {
  readonly work: number;
  readonly times: ProcPidSchedstat;
  /** It had had no work since it was read before. */
  readonly isSettled: boolean;
}

/** Exports the CPU time and the waits of netback's threads. */
export class QueueThreads {
  readonly #threads: Threads;
  readonly #isEach: boolean;
  #idle = new Map<string, Idle>();
  #lastIdle = new Map<string, Idle>();

  constructor(threads: Threads, isEach: boolean) {
    this.#threads = threads;
    this.#isEach = isEach;
  }

  /** Adds the times of the threads of a vif's queues, whose rings are read already. */
  add(
    procfs: FileTree,
    labels: Labels<(typeof vifLabels)[number]>,
    { netDevice, queues }: VifQueues,
    rings: ReadonlyMap<string, IoRingFile>,
    out: Output,
  ): void {
    const add = (queue: string, thread: ThreadName, { cpu, wait }: { cpu: number; wait: number }): void => {
      const ofThread = out.labels(threadLabels, labels.domain, labels.vif, queue, thread);
      out.grow(metrics.threadCpu, ofThread, cpu, nanosecondsPerSecond);
      out.grow(metrics.threadWait, ofThread, wait, nanosecondsPerSecond);
    };
    let ofVif: number | undefined;
    const worst = new Map<ThreadName, { cpu: number; wait: number }>();
    for (const { queue } of queues) {
      const name = queueName(netDevice, queue);
      for (const [thread, pid] of this.#threads.of(name)) {
        const work = thread === 'dealloc' ? rings.get(queue)?.transmit?.deallocProduced : undefined;
        const times = readItem(out, () => this.#timesOf(procfs, pid, work) ?? 'gone');
        if (times === 'gone') this.#threads.forget(name);
        if (times === undefined || times === 'gone') continue;
        const cpu = out.growthOf(metrics.threadCpu, { source: pid, reads: times.runNanoseconds });
        const wait = out.growthOf(metrics.threadWait, { source: pid, reads: times.waitNanoseconds });
        ofVif = (ofVif ?? 0) + cpu;
        if (this.#isEach) add(queue, thread, { cpu, wait });
        const { cpu: mostCpu = 0, wait: mostWait = 0 } = worst.get(thread) ?? {};
        worst.set(thread, { cpu: Math.max(mostCpu, cpu), wait: Math.max(mostWait, wait) });
      }
    }
    if (ofVif !== undefined) out.grow(metrics.cpu, labels, ofVif, nanosecondsPerSecond);
    if (this.#isEach) return;
    for (const [thread, times] of worst) add('', thread, times);
  }

  /**
   * The times of a thread, which stand still while it has had no work: `work` grows with what it is given, undefined
   * if it is unknown. They are read once more after it has stopped growing, because the thread may still have been at
   * work. Most queues of a host have no pages to give back.
   */
  #timesOf(procfs: FileTree, pid: string, work: number | undefined): ProcPidSchedstat | undefined {
    const known = this.#idle.get(pid) ?? this.#lastIdle.get(pid);
    const hadWork = work === undefined || known?.work !== work;
    const times =
      known?.isSettled && !hadWork ? known.times : parsedCachedIfAny(procfs, `${pid}/schedstat`, parsePidSchedstat);
    if (times && work !== undefined) this.#idle.set(pid, { work, times, isSettled: !hadWork });
    return times;
  }

  /** Ends a scrape. */
  sweep(): void {
    [this.#lastIdle, this.#idle] = [this.#idle, new Map()];
  }
}
