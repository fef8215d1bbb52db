import type { IoRingFile } from '../../formats/io-ring.ts';
import type { FileTree } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import { timeFor } from '../../sources/activity.ts';
import { needsVifs } from '../../sources/backend-devices.ts';
import { readItem, uncounted, type Skips } from '../../sources/parsed.ts';
import type { Output } from '../../metrics/output.ts';
import { defineCollector } from '../collector.ts';
import { queuesOption, samplerOptions } from '../../config/collector-options.ts';
import { metrics, pressureMetrics, vifLabels } from './metrics.ts';
import { PressureTimes } from './pressure.ts';
import { QueueRings } from './queue-rings.ts';
import { QueueThreads } from './queue-threads.ts';
import { levelsOf, missingRings, readQueue, vifQueues, type VifQueues } from './rings.ts';
import { queueName, Threads } from './threads.ts';

const options = {
  queues: queuesOption,
  ...samplerOptions('all rings', 2, 50),
};

// How long a list of vifs and their queues is gone by: to make it costs a tenth of what it costs to read them.
const secondsBetweenLists = 5;

/** Whether frontend and backend are connected: a queue has its threads only then. */
const isConnected = (sysfs: FileTree, netDevice: string): boolean =>
  readItem(uncounted, () => sysfs.textIfAny(`class/net/${netDevice}/carrier`)?.trim()) === '1';

/** The queues of a vif that can be read. */
const readQueues = (debugfs: FileTree, { queues }: VifQueues, skips: Skips): Map<string, IoRingFile> => {
  const readings = new Map<string, IoRingFile>();
  for (const file of queues) {
    const reading = readItem(skips, () => readQueue(debugfs, file));
    if (reading !== undefined) readings.set(file.queue, reading);
  }
  return readings;
};

/** The split driver's end in this kernel: rings, threads, and for how long they were the bottleneck. */
export const netback = defineCollector({
  name: 'netback',
  help: 'Rings and kernel threads of the network backend for every vif, sampled in the background, from debugfs and /proc.',
  enabledByDefault: true,
  maxSeries: 50_000,
  options,
  metrics: [...Object.values(metrics), ...Object.values(pressureMetrics)],
  create: ({ options, host, toolstack }) => {
    const isEach = options.queues === 'each';
    const threads = new Threads(host.clock);
    const queueThreads = new QueueThreads(threads, isEach);
    const queueRings = new QueueRings(isEach);
    const pressure = new PressureTimes();
    let vifs: readonly VifQueues[] = [];
    /** Reads vifs that the list lacks. */
    let listErrors: Error[] = [];
    let listedAt = -Infinity;
    let limitations: string | undefined;

    const list = ({ sysfs, debugfs, clock }: Host): readonly VifQueues[] => {
      if (clock.monotonicSeconds() - listedAt < secondsBetweenLists) return vifs;
      listErrors = [];
      vifs = vifQueues(sysfs, debugfs, { skip: (error) => listErrors.push(error) });
      listedAt = clock.monotonicSeconds();
      pressure.keepOnly(new Set(vifs.map(({ name }) => name)));
      return vifs;
    };

    /**
     * Counts the connected queues without a thread. Some mounts of procfs show no processes of others, as if there were
     * none.
     */
    const skipHiddenThreads = ({ procfs, sysfs }: Host, listed: readonly VifQueues[], out: Output): void => {
      const hidden = listed.flatMap(({ netDevice, queues }) => {
        const names = queues
          .map(({ queue }) => queueName(netDevice, queue))
          .filter((name) => threads.of(name).size === 0);
        return names.length > 0 && isConnected(sysfs, netDevice) ? names : [];
      });
      if (hidden.length === 0) return;
      const why = `expected kernel threads of ${hidden[0]}, found none (hidepid= of proc(5) hides processes)`;
      out.skip(new Error(`${procfs.root}: ${why}`), hidden.length);
    };

    return {
      availability: () => needsVifs(host.sysfs),
      limitations: () => limitations,
      sharedTasks: toolstack.naming,
      *collect({ host, out }) {
        const { procfs, sysfs, debugfs } = host;
        const listed = list(host);
        limitations = missingRings(debugfs, listed, sysfs);
        if (limitations !== undefined) limitations = `rings: ${limitations}`;
        const names = listed.flatMap(({ netDevice, queues }) => queues.map(({ queue }) => queueName(netDevice, queue)));
        yield* threads.find(procfs, names);
        for (const error of listErrors) out.skip(error);
        if (threads.unreadable) out.skip(threads.unreadable.first, threads.unreadable.processes);
        else skipHiddenThreads(host, listed, out);
        for (const vif of listed) {
          yield;
          const owner = toolstack.directory.ownerOf(vif.domid);
          if (owner === undefined) continue;
          const labels = out.labels(vifLabels, owner.label, vif.device);
          const readings = readQueues(debugfs, vif, out);
          const levels = [...readings.values()].map(levelsOf);
          if (!owner.isStub) queueRings.addGauges(labels, readings, levels, out);
          queueThreads.add(procfs, labels, vif, readings, out);
          queueRings.addCounters(labels, vif.queues, readings, levels, out);
          queueRings.addPressure(vif.name, labels, pressure.of(vif.name), out);
        }
        queueThreads.sweep();
      },
      sampler: {
        name: 'netback',
        hertz: options['sampler-hertz'],
        cpuBudget: options['sampler-cpu-budget'],
        sample: (seconds) => {
          const now = host.clock.monotonicSeconds();
          let isActive = false;
          for (const vif of list(host)) {
            const attention = pressure.attentionTo(vif.name);
            const time = timeFor(attention, seconds);
            if (time > 0) {
              const readings = readQueues(host.debugfs, vif, uncounted);
              if (readings.size > 0) pressure.add(vif.name, readings, time, now);
              else attention.look(now, false);
            }
            isActive ||= attention.isActive;
          }
          return isActive;
        },
      },
    };
  },
});
