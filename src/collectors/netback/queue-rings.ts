import type { IoRingFile } from '../../formats/io-ring.ts';
import type { Labels } from '../../metrics/labels.ts';
import type { Output } from '../../metrics/output.ts';
import { domainLabels, metrics, pressureMetrics, queueLabels, ringLabels, type vifLabels } from './metrics.ts';
import { pressures, type PressureTimes, type Seconds } from './pressure.ts';
import type { Queue, QueueLevels } from './rings.ts';

type VifLabels = Labels<(typeof vifLabels)[number]>;

/** The greatest of what is known. */
const most = <Item>(items: readonly Item[], read: (item: Item) => number | undefined): number | undefined => {
  let greatest: number | undefined;
  for (const item of items) {
    const value = read(item);
    if (value !== undefined && (greatest === undefined || value > greatest)) greatest = value;
  }
  return greatest;
};

/** Adds how full the worst of a vif's queues is. */
const addGauges = (
  labels: VifLabels,
  levels: readonly QueueLevels[],
  files: readonly IoRingFile[],
  out: Output,
): void => {
  const mostUsed = most(levels, ({ rxFree }) => rxFree && -rxFree);
  out.gauge(
    metrics.slots,
    labels,
    most(levels, ({ slots }) => slots),
  );
  out.gauge(
    metrics.txInFlight,
    labels,
    most(levels, ({ txInFlight }) => txInFlight),
  );
  out.gauge(
    metrics.txUnconsumed,
    labels,
    most(levels, ({ txUnconsumed }) => txUnconsumed),
  );
  out.gauge(metrics.rxFree, labels, mostUsed && -mostUsed);
  out.gauge(
    metrics.pending,
    labels,
    most(files, ({ transmit }) => transmit?.pendingRequests),
  );
  out.gauge(
    metrics.deallocQueue,
    labels,
    most(files, ({ transmit }) => transmit?.deallocQueue),
  );
  out.gauge(
    metrics.guestQueueBytes,
    labels,
    most(files, ({ guestQueueBytes }) => guestQueueBytes),
  );
  out.gauge(
    metrics.guestQueueLimit,
    labels,
    most(files, ({ guestQueueLimitBytes }) => guestQueueLimitBytes),
  );
};

/** The rings of netback's queues, as metrics. */
export class QueueRings {
  readonly #isEach: boolean;

  constructor(isEach: boolean) {
    this.#isEach = isEach;
  }

  /**
   * Adds how full a vif's rings are, whose `levels` are those of `readings`. The gauges are the guest's own, not its
   * stub domain's.
   */
  addGauges(
    labels: VifLabels,
    readings: ReadonlyMap<string, IoRingFile>,
    levels: readonly QueueLevels[],
    out: Output,
  ): void {
    if (levels.length > 0) addGauges(labels, levels, [...readings.values()], out);
  }

  /**
   * Adds what netback took from a vif's rings. The indices are netback's own u32: they wrap, each by itself, and begin
   * at 0 together when the frontend reconnects.
   */
  addCounters(
    labels: VifLabels,
    queues: readonly Queue[],
    readings: ReadonlyMap<string, IoRingFile>,
    levels: readonly QueueLevels[],
    out: Output,
  ): void {
    const { domain } = labels;
    const labelsOfRings = (queue: string) => {
      const of = (ring: 'tx' | 'rx') => out.labels(ringLabels, domain, labels.vif, queue, ring);
      return { tx: of('tx'), rx: of('rx') };
    };
    const ofVif = this.#isEach ? undefined : labelsOfRings('');
    for (const { queue, name: device, ringNames } of queues) {
      const reading = readings.get(queue);
      if (reading === undefined) continue;
      const { transmit, receive } = reading;
      const { tx, rx } = ofVif ?? labelsOfRings(queue);
      out.counter(metrics.consumed, tx, { source: ringNames.tx, device, reads: transmit?.requestConsumed ?? 0 });
      out.counter(metrics.consumed, rx, { source: ringNames.rx, device, reads: receive?.requestConsumed ?? 0 });
    }
    const invalid = levels.reduce((sum, { invalidRings }) => sum + invalidRings, 0);
    out.grow(metrics.invalidRings, out.labels(domainLabels, domain), invalid);
  }

  /** Adds what the samples of a vif add up to. */
  addPressure(vif: string, labels: VifLabels, times: ReturnType<PressureTimes['of']>, out: Output): void {
    if (times === undefined) return;
    const { domain, vif: index } = labels;
    const add = (source: string, queue: string, seconds: Seconds): void => {
      const ofQueue = out.labels(queueLabels, domain, index, queue);
      for (const pressure of pressures) {
        out.counter(pressureMetrics[pressure], ofQueue, { source, reads: seconds[pressure], at: times.countedUntil });
      }
    };
    if (!this.#isEach) return add(vif, '', times.worst);
    for (const [queue, seconds] of times.queues) add(`${vif}/${queue}`, queue, seconds);
  }
}
