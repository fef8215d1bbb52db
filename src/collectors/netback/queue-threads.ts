import { parsePidSchedstat } from '../../formats/proc-pid-schedstat.ts';
import type { FileTree } from '../../host/file-tree.ts';
import { growthOfU64 } from '../../metrics/accumulator.ts';
import type { Families } from '../../metrics/families.ts';
import { LabelSets, type Labels } from '../../metrics/labels.ts';
import { SummedCounter } from '../../metrics/summed-counter.ts';
import { parsedHotIfAny } from '../parsed.ts';
import { metrics, threadLabels, type vifLabels } from './metrics.ts';
import { queueName, type ThreadName, type Threads } from './threads.ts';
import type { VifQueues } from './rings.ts';

const secondsPerNanosecond = 1e-9;

/** What netback's threads cost and how long they waited, as metrics. */
export class QueueThreads {
  readonly #threads: Threads;
  readonly #isEach: boolean;
  readonly #labels = new LabelSets(threadLabels);
  readonly #all = new SummedCounter(metrics.cpu, growthOfU64);
  readonly #cpu = new SummedCounter(metrics.threadCpu, growthOfU64);
  readonly #wait = new SummedCounter(metrics.threadWait, growthOfU64);

  constructor(threads: Threads, isEach: boolean) {
    this.#threads = threads;
    this.#isEach = isEach;
  }

  /** Reads the threads of a vif's queues. Throws FileError or ParseError. */
  read(procfs: FileTree, labels: Labels<(typeof vifLabels)[number]>, { netDevice, queues }: VifQueues): void {
    const worst = new Map<ThreadName, { cpu: number; wait: number }>();
    for (const { queue } of queues) {
      const name = queueName(netDevice, queue);
      for (const [thread, pid] of this.#threads.of(name)) {
        const times = parsedHotIfAny(procfs, `${pid}/schedstat`, parsePidSchedstat);
        if (times === undefined) {
          this.#threads.forget(name);
          continue;
        }
        const cpu = this.#cpu.growthOf(pid, times.runNanoseconds);
        const wait = this.#wait.growthOf(pid, times.waitNanoseconds);
        this.#all.add(labels, cpu);
        if (this.#isEach) {
          const ofThread = this.#labels.get(labels.domain, labels.vif, queue, thread);
          this.#cpu.add(ofThread, cpu);
          this.#wait.add(ofThread, wait);
        }
        const { cpu: mostCpu = 0, wait: mostWait = 0 } = worst.get(thread) ?? {};
        worst.set(thread, { cpu: Math.max(mostCpu, cpu), wait: Math.max(mostWait, wait) });
      }
    }
    if (this.#isEach) return;
    for (const [thread, { cpu, wait }] of worst) {
      const ofVif = this.#labels.get(labels.domain, labels.vif, '', thread);
      this.#cpu.add(ofVif, cpu);
      this.#wait.add(ofVif, wait);
    }
  }

  flush(out: Families): void {
    for (const counter of [this.#all, this.#cpu, this.#wait]) counter.flush(out, secondsPerNanosecond);
    this.#labels.sweep();
  }
}
