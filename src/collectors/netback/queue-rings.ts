import type { IoRingFile } from '../../formats/io-ring.ts';
import { growthOfU64 } from '../../metrics/accumulator.ts';
import type { Families } from '../../metrics/families.ts';
import { LabelSets, type Labels } from '../../metrics/labels.ts';
import { SummedCounter } from '../../metrics/summed-counter.ts';
import { ConsumedSlots } from './consumed-slots.ts';
import { domainLabels, metrics, pressureMetrics, queueLabels, ringLabels, type vifLabels } from './metrics.ts';
import { pressures, type PressureTimes, type Seconds } from './pressure.ts';
import { levelsOf, type QueueLevels } from './rings.ts';

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
  out: Families,
): void => {
  const mostUsed = most(levels, ({ rxFree }) => rxFree && -rxFree);
  out.add(
    metrics.slots,
    labels,
    most(levels, ({ slots }) => slots),
  );
  out.add(
    metrics.txInFlight,
    labels,
    most(levels, ({ txInFlight }) => txInFlight),
  );
  out.add(
    metrics.txUnconsumed,
    labels,
    most(levels, ({ txUnconsumed }) => txUnconsumed),
  );
  out.add(metrics.rxFree, labels, mostUsed && -mostUsed);
  out.add(
    metrics.pending,
    labels,
    most(files, ({ transmit }) => transmit?.pendingRequests),
  );
  out.add(
    metrics.deallocQueue,
    labels,
    most(files, ({ transmit }) => transmit?.deallocQueue),
  );
  out.add(
    metrics.guestQueueBytes,
    labels,
    most(files, ({ guestQueueBytes }) => guestQueueBytes),
  );
  out.add(
    metrics.guestQueueLimit,
    labels,
    most(files, ({ guestQueueLimitBytes }) => guestQueueLimitBytes),
  );
};

/** The rings of netback's queues, as metrics. */
export class QueueRings {
  readonly #isEach: boolean;
  readonly #slots = new ConsumedSlots();
  readonly #ringLabels = new LabelSets(ringLabels);
  readonly #queueLabels = new LabelSets(queueLabels);
  readonly #domainLabels = new LabelSets(domainLabels);
  readonly #consumed = new SummedCounter(metrics.consumed, growthOfU64);
  readonly #invalid = new SummedCounter(metrics.invalidRings, growthOfU64);
  readonly #pressures = {
    rxEmpty: new SummedCounter(pressureMetrics.rxEmpty, growthOfU64),
    txWaiting: new SummedCounter(pressureMetrics.txWaiting, growthOfU64),
    guestQueueFull: new SummedCounter(pressureMetrics.guestQueueFull, growthOfU64),
    rateLimited: new SummedCounter(pressureMetrics.rateLimited, growthOfU64),
  };

  constructor(isEach: boolean) {
    this.#isEach = isEach;
  }

  /** Takes a reading of a vif's queues. The gauges are the guest's own, not its stub domain's. */
  add(
    vif: { readonly name: string; readonly isStub: boolean },
    labels: VifLabels,
    readings: ReadonlyMap<string, IoRingFile>,
    out: Families,
  ): void {
    const { domain } = labels;
    const levels = [...readings.values()].map(levelsOf);
    const invalid = levels.reduce((sum, { invalidRings }) => sum + invalidRings, 0);
    this.#invalid.add(this.#domainLabels.get(domain), invalid);
    const [txLabels, rxLabels] = this.#labelsOfRings(labels, '');
    for (const [queue, reading] of readings) {
      const grown = this.#slots.growthOf(`${vif.name}/${queue}`, reading);
      const [tx, rx] = this.#isEach ? this.#labelsOfRings(labels, queue) : [txLabels, rxLabels];
      this.#consumed.add(tx, grown.tx);
      this.#consumed.add(rx, grown.rx);
    }
    if (!vif.isStub && levels.length > 0) addGauges(labels, levels, [...readings.values()], out);
  }

  #labelsOfRings({ domain, vif }: VifLabels, queue: string) {
    const of = (ring: 'tx' | 'rx') => this.#ringLabels.get(domain, vif, queue, ring);
    return [of('tx'), of('rx')] as const;
  }

  /** Takes what the samples of a vif add up to. */
  addPressure(vif: string, labels: VifLabels, times: ReturnType<PressureTimes['of']>): void {
    if (times === undefined) return;
    const { domain, vif: index } = labels;
    if (!this.#isEach) return this.#feed(vif, this.#queueLabels.get(domain, index, ''), times.worst);
    for (const [queue, seconds] of times.queues) {
      this.#feed(`${vif}/${queue}`, this.#queueLabels.get(domain, index, queue), seconds);
    }
  }

  #feed(source: string, labels: Labels<(typeof queueLabels)[number]>, seconds: Seconds): void {
    for (const pressure of pressures) this.#pressures[pressure].feed(labels, source, seconds[pressure]);
  }

  flush(out: Families): void {
    for (const counter of [this.#consumed, this.#invalid, ...Object.values(this.#pressures)]) counter.flush(out);
    this.#slots.sweep();
    [this.#ringLabels, this.#queueLabels, this.#domainLabels].forEach((labels) => labels.sweep());
  }
}
