import { bounds } from '../metrics/bounds.ts';
import { judgeTogether, mostGrowth, type Suspect } from '../metrics/counter-step.ts';
import { parseInterrupts, type InterruptRow } from '../formats/proc-interrupts.ts';
import { counter } from '../metrics/descriptor.ts';
import { defineCollector } from './collector.ts';
import {
  eventSource,
  interruptsFile,
  maxInterruptsBytes,
  networkDevices,
  netbackQueue,
  netfrontQueue,
  type EventSource,
  type NetbackQueue,
  type NetfrontQueue,
  type NetworkDevices,
} from '../sources/event-source.ts';
import { naming, needs } from '../sources/parsed.ts';
import { queuesOption } from '../config/collector-options.ts';
import { needsXen } from '../sources/xen.ts';

const metrics = {
  netfront: counter('xen_netfront_interrupts_total', {
    meaning:
      'Events that Dom0 sent to the guest\'s network device, by queue and ring: "rx" packets came, "tx" sent packets were taken, "shared" one event channel for both. Events that arrive while one is pending count once.',
    labels: ['vif', 'queue', 'ring'],
    source: '/proc/interrupts',
    wraps: 'u32',
    bounds: bounds.events,
  }),
  netback: counter('xen_netback_interrupts_total', {
    meaning:
      'Events that the guest sent to its network backend, by ring: "tx" it sent packets, "rx" it gave buffers that netback had run out of, "shared" one event channel for both. Those that netback sends to the guest are not counted here: see xen_netfront_interrupts_total of the guest. With --collector.queues=vif (the default) queue is empty, and the value is the sum over the queues. Goes on when the guest reboots.',
    labels: ['domain', 'vif', 'queue', 'ring'],
    source: '/proc/interrupts',
    versions: 'checked with Linux 6.1',
    wraps: 'u32',
    bounds: bounds.events,
  }),
  events: counter('xen_cpu_events_total', {
    meaning:
      'Event channel interrupts that the CPU handled, by what they are for: netfront, netback, blkfront, blkback, timer, ipi, console, xenbus, other.',
    labels: ['cpu', 'source'],
    source: '/proc/interrupts',
    wraps: 'u32',
    bounds: bounds.events,
  }),
  callbacks: counter('xen_cpu_callbacks_total', {
    meaning: 'Upcalls of the hypervisor, each of which may carry several events; HVM and PVH guests only.',
    labels: ['cpu'],
    source: 'row HYP of /proc/interrupts',
    wraps: 'u32',
    bounds: bounds.events,
  }),
};

/** What a count in /proc/interrupts is. */
const eventCounter = { bounds: bounds.events, count: 1, width: 'u32' } as const;

/** Numbers by CPU number, not by column: a CPU that comes back online goes on counting where it was. */
const grownTo = <Numbers extends Uint32Array | Float64Array>(numbers: Numbers, length: number): Numbers => {
  if (numbers.length >= length) return numbers;
  const grown = new (numbers.constructor as new (length: number) => Numbers)(length);
  grown.set(numbers);
  return grown;
};

/** A row as it was read last. Its counters are 32 bits wide, wrap, and begin anew when their device is reconnected. */
class Row {
  readonly source: EventSource | 'callbacks';
  readonly netfront: NetfrontQueue | undefined;
  readonly netback: NetbackQueue | undefined;
  /** Rows of the same device restart together. */
  readonly device: string;
  last = new Uint32Array(0);
  /** CPUs whose last reading was absurd. */
  readonly doubtful = new Set<number>();
  #growth = 0;

  /** `key` tells the row from all others, at all times: the number alone will not do, for a freed one is given to another device. */
  constructor(key: string, { label, kind, action }: InterruptRow, devices: NetworkDevices) {
    this.source = label === 'HYP' ? 'callbacks' : eventSource(kind, action, devices);
    this.netfront = this.source === 'netfront' ? netfrontQueue(action, devices) : undefined;
    this.netback = this.source === 'netback' ? netbackQueue(action, devices) : undefined;
    this.device = this.netfront ? `netfront ${this.netfront.vif}` : (this.netback?.vif.name ?? key);
  }

  grow(growth: number): void {
    this.#growth += growth;
  }

  /** What the row has grown by since this was asked last, all CPUs together. */
  takeGrowth(): number {
    const growth = this.#growth;
    this.#growth = 0;
    return growth;
  }
}

/** A count that does not go forward as the bounds of events allow. */
interface SuspectCount extends Suspect {
  readonly row: Row;
  readonly cpu: number;
}

/** Adds up what the rows of /proc/interrupts grow by, from one reading to the next. */
class EventTotals {
  /** By what the events are for, then by CPU number. */
  readonly bySource = new Map<EventSource | 'callbacks', Float64Array>();
  /** The CPUs of the last reading: those online. */
  cpus: readonly number[] = [];
  /** Counts of the last reading that did not continue from the ones before. */
  resets = 0;
  #rows = new Map<string, Row>();
  #readAt = 0;

  /** Takes a reading of the file at `now` (monotonic seconds); returns its rows. Throws ParseError. */
  read(bytes: Uint8Array, devices: NetworkDevices, now: number): Iterable<Row> {
    const rows = new Map<string, Row>();
    const suspects: SuspectCount[] = [];
    const most = mostGrowth(bounds.events.perSecond, this.#readAt, now);
    parseInterrupts(bytes, (reading) => {
      const key = `${reading.label} ${reading.action}`;
      const known = this.#rows.get(key);
      const row = known ?? new Row(key, reading, devices);
      rows.set(key, row);
      this.cpus = reading.cpus;
      // All that a row has counted before it was first seen counts.
      this.#grow(row, reading, known ? most : Infinity, now, suspects);
    });
    this.#rows = rows;
    this.#judge(suspects);
    this.#readAt = now;
    return rows.values();
  }

  #grow(row: Row, { cpus, counts }: InterruptRow, most: number, now: number, suspects: SuspectCount[]): void {
    const length = (cpus.at(-1) ?? 0) + 1;
    const last = (row.last = grownTo(row.last, length));
    const perCpu = grownTo(this.bySource.get(row.source) ?? new Float64Array(0), length);
    this.bySource.set(row.source, perCpu);
    for (let column = 0; column < cpus.length; column += 1) {
      const cpu = cpus[column]!;
      const count = counts[column]!;
      const high = last[cpu]!;
      // Nearly all: hundreds of thousands of counts on a large host.
      if (count === high) continue;
      const growth = count - high;
      if (growth < 0 || growth > most) {
        const source = { high, at: this.#readAt, isDoubtful: row.doubtful.has(cpu) };
        suspects.push({ row, cpu, source, device: row.device, reading: { now: count, at: now, ...eventCounter } });
        continue;
      }
      last[cpu] = count;
      row.doubtful.delete(cpu);
      row.grow(growth);
      perCpu[cpu]! += growth;
    }
  }

  #judge(suspects: readonly SuspectCount[]): void {
    this.resets = 0;
    judgeTogether(suspects, ({ row, cpu, source }, { growth, isReset }) => {
      row.last[cpu] = source.high;
      if (source.isDoubtful) row.doubtful.add(cpu);
      else row.doubtful.delete(cpu);
      row.grow(growth);
      this.bySource.get(row.source)![cpu]! += growth;
      if (isReset) this.resets += 1;
    });
  }
}

/** Event channel interrupts: how hard Xen's events hit each virtual CPU, and which queue's. */
export const interrupts = defineCollector({
  name: 'interrupts',
  help: 'Event channel interrupts by virtual CPU and source, and by queue of each Xen network device, from /proc/interrupts.',
  enabledByDefault: true,
  maxSeries: 8192,
  options: { queues: queuesOption },
  metrics: Object.values(metrics),
  create: ({ options, host: { procfs, sysfs }, toolstack }) => {
    const onXen = needsXen(sysfs);
    const totals = new EventTotals();
    return {
      availability: () => (onXen === true ? needs(procfs, interruptsFile) : onXen),
      sharedTasks: toolstack.naming,
      collect: ({ host: { procfs, sysfs, clock }, out }) => {
        const devices = networkDevices(sysfs);
        const bytes = procfs.bytes(interruptsFile, maxInterruptsBytes);
        const now = clock.monotonicSeconds();
        const rows = naming(procfs.path(interruptsFile), () => totals.read(bytes, devices, now));
        out.countResets(totals.resets);
        for (const row of rows) {
          if (row.netfront) {
            const { vif, queue, ring } = row.netfront;
            out.grow(metrics.netfront, out.labels(metrics.netfront.labels, vif, queue, ring), row.takeGrowth());
          }
          if (row.netback) {
            const { vif, queue, ring } = row.netback;
            const owner = toolstack.directory.ownerOf(vif.domid);
            if (owner === undefined) continue;
            const queueLabel = options.queues === 'each' ? queue : '';
            const labels = out.labels(metrics.netback.labels, owner.label, vif.device, queueLabel, ring);
            out.grow(metrics.netback, labels, row.takeGrowth());
          }
        }
        for (const [source, perCpu] of totals.bySource) {
          for (const number of totals.cpus) {
            const total = perCpu[number];
            const cpu = String(number);
            if (source === 'callbacks') out.total(metrics.callbacks, out.labels(metrics.callbacks.labels, cpu), total);
            else out.total(metrics.events, out.labels(metrics.events.labels, cpu, source), total);
          }
        }
      },
    };
  },
});
