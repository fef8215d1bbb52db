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

/** Indexed by CPU number, not by column, so that a CPU that comes back online continues its count. */
const grownTo = <Numbers extends Uint32Array | Float64Array>(numbers: Numbers, length: number): Numbers => {
  if (numbers.length >= length) return numbers;
  const grown = new (numbers.constructor as new (length: number) => Numbers)(length);
  grown.set(numbers);
  return grown;
};

// Numbers of these kinds are reused for other devices and then count from 0. A physical interrupt keeps its number and
// counts while the drivers that share it come and go.
const dynamicKinds: ReadonlySet<string> = new Set(['event', 'virq', 'ipi']);

/**
 * Last reading of a row with this number and action. Its counters are 32 bits wide, wrap, and restart when the device
 * reconnects.
 */
class Row {
  readonly action: string;
  readonly source: EventSource | 'callbacks';
  readonly netfront: NetfrontQueue | undefined;
  readonly netback: NetbackQueue | undefined;
  /** Rows of a device restart together. Undefined if each CPU's count wraps on its own. */
  readonly device: string | undefined;
  /** True if the number is reused for another device once freed. */
  readonly isDynamic: boolean;
  last = new Uint32Array(0);
  /** Time of the last reading. Undefined before the first, whose whole count is growth. */
  readAt: number | undefined;
  /** Counts of CPUs that had an absurd reading or grew faster than the elapsed time allows. */
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

  /** Continues the counts of the same interrupt after its action changed. */
  continueFrom({ last, readAt, inDoubt }: Row): void {
    this.last = last;
    this.readAt = readAt;
    for (const [cpu, source] of inDoubt) this.inDoubt.set(cpu, source);
  }

  grow(growth: number): void {
    this.#growth += growth;
  }

  /** Growth of the row since the last call, summed over CPUs. */
  takeGrowth(): number {
    const growth = this.#growth;
    this.#growth = 0;
    return growth;
  }
}

/** A count that went back or exceeds the bounds of events. */
interface SuspectCount extends Suspect {
  readonly row: Row;
  readonly cpu: number;
}

/** Sums the growth of the rows of /proc/interrupts between readings. */
class EventTotals {
  /** Events by purpose, then by CPU number. */
  readonly bySource = new Map<EventSource | 'callbacks', Float64Array>();
  /** CPUs of the last reading: those online. */
  cpus: readonly number[] = [];
  /** Counts of the last reading that did not continue. */
  resets = 0;
  /** Rows by number. Missing rows stay, because they may return with their counts. */
  readonly #rows = new Map<string, Row>();

  /**
   * Takes a reading of the file at `now` (monotonic seconds) and returns its rows. Passes broken rows to `skip`. Throws
   * ParseError.
   */
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
      // The common case: a large host has hundreds of thousands of counts.
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

/** Event channel interrupts: the event load of each virtual CPU and queue. */
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
