import { bounds } from '../metrics/bounds.ts';
import { judgeTogether, stepForward, type CounterSource, type Suspect } from '../metrics/counter-step.ts';
import type { Skip } from '../formats/parse-error.ts';
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
import { naming, needs, readRowsOf } from '../sources/parsed.ts';
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
      'Events that the guest sent to its network backend, by ring: "tx" it sent packets, "rx" it gave buffers that netback had run out of, "shared" one event channel for both. Events that netback sends to the guest are in xen_netfront_interrupts_total of the guest. With --collector.queues=vif (the default) queue is empty, and the value is the sum over the queues. Continues when the guest reboots.',
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

/** The purpose of a row of /proc/interrupts. */
const eventCounter = { bounds: bounds.events, count: 1, width: 'u32' } as const;

/** Numbers by CPU number, not by column: a CPU that comes back online goes on counting where it was. */
const grownTo = <Numbers extends Uint32Array | Float64Array>(numbers: Numbers, length: number): Numbers => {
  if (numbers.length >= length) return numbers;
  const grown = new (numbers.constructor as new (length: number) => Numbers)(length);
  grown.set(numbers);
  return grown;
};

// Their numbers are given to another device once they are freed, and then they count from 0. The number of a physical interrupt stays that of its
// line: drivers that share it come and go, and its counts stay.
const dynamicKinds: ReadonlySet<string> = new Set(['event', 'virq', 'ipi']);

/** A row as it was read last, of one number and action. Its counters are 32 bits wide, wrap, and restart when their device is reconnected. */
class Row {
  readonly action: string;
  readonly source: EventSource | 'callbacks';
  readonly netfront: NetfrontQueue | undefined;
  readonly netback: NetbackQueue | undefined;
  /** Rows of the same device restart together; undefined where the counts of each CPU wrap for themselves. */
  readonly device: string | undefined;
  /** Its number is given to another device once it is freed. */
  readonly isDynamic: boolean;
  last = new Uint32Array(0);
  /** When it was read last; undefined before the first time, because then all that it has counted counts. */
  readAt: number | undefined;
  /** The counts of CPUs that had an absurd reading, or have grown by more than in the time that passed. */
  readonly inDoubt = new Map<number, CounterSource>();
  #growth = 0;

  constructor({ label, kind, action }: InterruptRow, devices: NetworkDevices) {
    this.action = action;
    this.source = label === 'HYP' ? 'callbacks' : eventSource(kind, action, devices);
    this.netfront = this.source === 'netfront' ? netfrontQueue(action, devices) : undefined;
    this.netback = this.source === 'netback' ? netbackQueue(action, devices) : undefined;
    this.isDynamic = dynamicKinds.has(kind);
    if (this.netfront) this.device = `netfront ${this.netfront.vif}`;
    else if (this.netback) this.device = this.netback.vif.name;
    else this.device = this.source === 'callbacks' ? undefined : `${label} ${action}`;
  }

  /** Continues the counts of the same interrupt under another action. */
  continueFrom({ last, readAt, inDoubt }: Row): void {
    this.last = last;
    this.readAt = readAt;
    for (const [cpu, source] of inDoubt) this.inDoubt.set(cpu, source);
  }

  grow(growth: number): void {
    this.#growth += growth;
  }

  /** Growth of the row since the last call, all CPUs together. */
  takeGrowth(): number {
    const growth = this.#growth;
    this.#growth = 0;
    return growth;
  }
}

/** A count that does not go forward, or by more than the bounds of events allow in the time that passed. */
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
  /** By number. Rows that are gone stay, because they may come back with their counts. */
  readonly #rows = new Map<string, Row>();

  /** Takes a reading of the file at `now` (monotonic seconds); returns its rows. Broken rows go to `skip`. Throws ParseError. */
  read(bytes: Uint8Array, devices: NetworkDevices, now: number, skip: Skip): Row[] {
    const rows: Row[] = [];
    const suspects: SuspectCount[] = [];
    const visit = (reading: InterruptRow): void => {
      const row = this.#rowOf(reading, devices);
      rows.push(row);
      this.cpus = reading.cpus;
      this.#grow(row, reading, now, suspects);
    };
    parseInterrupts(bytes, visit, skip);
    this.#judge(suspects);
    return rows;
  }

  #rowOf(reading: InterruptRow, devices: NetworkDevices): Row {
    const known = this.#rows.get(reading.label);
    if (known?.action === reading.action) return known;
    const row = new Row(reading, devices);
    if (known && !known.isDynamic && !row.isDynamic) row.continueFrom(known);
    this.#rows.set(reading.label, row);
    return row;
  }

  #grow(row: Row, { cpus, counts }: InterruptRow, now: number, suspects: SuspectCount[]): void {
    const length = (cpus.at(-1) ?? 0) + 1;
    const last = (row.last = grownTo(row.last, length));
    const perCpu = grownTo(this.bySource.get(row.source) ?? new Float64Array(0), length);
    this.bySource.set(row.source, perCpu);
    const { inDoubt, readAt } = row;
    const most = readAt === undefined ? Infinity : bounds.events.perSecond * (now - readAt);
    row.readAt = now;
    for (let column = 0; column < cpus.length; column += 1) {
      const cpu = cpus[column]!;
      const count = counts[column]!;
      const high = last[cpu]!;
      // Nearly all: hundreds of thousands of counts on a large host.
      if (count === high && inDoubt.size === 0) continue;
      const step = count - high;
      const known = inDoubt.size === 0 ? undefined : inDoubt.get(cpu);
      const isForward = step >= 0 && step <= most;
      const growth = known ? stepForward(known, count, now, bounds.events.perSecond) : isForward ? step : undefined;
      if (growth === undefined) {
        const source = known ?? { high, at: readAt ?? now, isDoubtful: false };
        suspects.push({
          row,
          cpu,
          source,
          device: row.device ?? source,
          reading: { now: count, at: now, ...eventCounter },
        });
        continue;
      }
      last[cpu] = count;
      row.grow(growth);
      perCpu[cpu]! += growth;
    }
  }

  #judge(suspects: readonly SuspectCount[]): void {
    this.resets = 0;
    judgeTogether(suspects, ({ row, cpu, source, reading }, { growth, isReset }) => {
      row.last[cpu] = source.high;
      if (source.before || source.isDoubtful || source.at > reading.at) row.inDoubt.set(cpu, source);
      else row.inDoubt.delete(cpu);
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
        const devices = networkDevices(sysfs, out);
        const bytes = procfs.bytes(interruptsFile, maxInterruptsBytes);
        const now = clock.monotonicSeconds();
        const path = procfs.path(interruptsFile);
        const rows = naming(path, () => readRowsOf(path, out, (skip) => totals.read(bytes, devices, now, skip)));
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
