import type { Family, Sample } from '../metrics/families.ts';

/** A listener as the last scrape found it. */
export interface ListenerReading {
  address: string;
  port: string;
  /** Its network namespace; empty for that of the exporter. */
  netns: string;
  /** Empty if unknown. */
  service: string;
  length: number;
  /** Absent if it cannot be read here. */
  limit?: number;
  /** The share of the time since the scrape before in which the accept queue was full. */
  fullRatio?: number;
  /** Connection attempts that were dropped since the scrape before. */
  drops?: number;
}

const lengthName = 'xen_listener_accept_queue_length';
const limitName = 'xen_listener_accept_queue_limit';
const fullName = 'xen_listener_accept_queue_full_seconds_total';
const dropsName = 'xen_listener_drops_total';
const infoName = 'xen_listener_info';

/** Counters of a scrape, by listener. */
interface Totals {
  seconds: number;
  full: ReadonlyMap<string, number>;
  drops: ReadonlyMap<string, number>;
}

const keyOf = ({ sharedLabels }: Sample): string => {
  const { address, port, family, netns } = sharedLabels as Readonly<Record<string, string>>;
  return `${address} ${port} ${family} ${netns}`;
};

/** How far a counter has grown. Undefined if it began anew. */
const growth = (now: number | undefined, before: number | undefined): number | undefined =>
  now === undefined || before === undefined || now < before ? undefined : now - before;

/** The listeners in the families of scrapes, with what happened between the last two. */
export class ListenerReadings {
  #totals: Totals | undefined;
  #readings: readonly ListenerReading[] = [];

  /** The fullest first. */
  get list(): readonly ListenerReading[] {
    return this.#readings;
  }

  /** Takes what a scrape at a time (Unix milliseconds) has found. */
  take(families: readonly Family[], time: number): void {
    const samples = (name: string): readonly Sample[] =>
      families.find(({ descriptor }) => descriptor.name === name)?.samples ?? [];
    const values = (name: string): Map<string, number> =>
      new Map(samples(name).map((sample) => [keyOf(sample), sample.value]));
    const [limits, full, drops] = [values(limitName), values(fullName), values(dropsName)];
    const services = new Map(
      samples(infoName).map((sample) => [keyOf(sample), (sample.sharedLabels as { service?: string }).service ?? '']),
    );
    const before = this.#totals;
    this.#totals = { seconds: time / 1000, full, drops };
    const readings = samples(lengthName).map((sample): ListenerReading => {
      const key = keyOf(sample);
      const { address = '', port = '', netns = '' } = sample.sharedLabels as Readonly<Record<string, string>>;
      const limit = limits.get(key);
      const fullSeconds = growth(full.get(key), before?.full.get(key));
      const dropped = growth(drops.get(key), before?.drops.get(key));
      return {
        address,
        port,
        netns,
        service: services.get(key) ?? '',
        length: sample.value,
        ...(limit !== undefined && { limit }),
        ...(fullSeconds !== undefined && { fullRatio: Math.min(1, fullSeconds / (time / 1000 - before!.seconds)) }),
        ...(dropped !== undefined && { drops: dropped }),
      };
    });
    const urgency = ({ fullRatio = 0, length, limit = Infinity }: ListenerReading): number =>
      fullRatio + length / (limit + 1);
    this.#readings = readings.sort(
      (one, other) => urgency(other) - urgency(one) || Number(one.port) - Number(other.port),
    );
  }
}
