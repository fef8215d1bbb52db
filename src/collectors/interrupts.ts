import { parseInterrupts, type InterruptRow } from '../formats/proc-interrupts.ts';
import { growthOfU32, growthOfU64 } from '../metrics/accumulator.ts';
import { counter } from '../metrics/descriptor.ts';
import { LabelSets } from '../metrics/labels.ts';
import { SummedCounter } from '../metrics/summed-counter.ts';
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
  netfront: counter(
    'xen_netfront_interrupts_total',
    'Events that Dom0 sent to the guest\'s network device, by queue and ring: "rx" packets came, "tx" sent packets were taken, "shared" one event channel for both. Events that arrive while one is pending count once. Source: /proc/interrupts.',
    ['vif', 'queue', 'ring'],
  ),
  netback: counter(
    'xen_netback_interrupts_total',
    'Events that the guest sent to its network backend, by ring: "tx" it sent packets, "rx" it gave buffers that netback had run out of, "shared" one event channel for both. Those that netback sends to the guest are not counted here: see xen_netfront_interrupts_total of the guest. With --collector.queues=vif (the default) queue is empty, and the value is the sum over the queues. Goes on when the guest reboots. Source: /proc/interrupts (checked with Linux 6.1).',
    ['domain', 'vif', 'queue', 'ring'],
  ),
  events: counter(
    'xen_cpu_events_total',
    'Event channel interrupts that the CPU handled, by what they are for: netfront, netback, blkfront, blkback, timer, ipi, console, xenbus, other. Source: /proc/interrupts.',
    ['cpu', 'source'],
  ),
  callbacks: counter(
    'xen_cpu_callbacks_total',
    'Upcalls of the hypervisor, each of which may carry several events; HVM and PVH guests only. Source: row HYP of /proc/interrupts.',
    ['cpu'],
  ),
};

/** Numbers by CPU number, not by column: a CPU that comes back online goes on counting where it was. */
const grownTo = <Numbers extends Uint32Array | Float64Array>(numbers: Numbers, length: number): Numbers => {
  if (numbers.length >= length) return numbers;
  const grown = new (numbers.constructor as new (length: number) => Numbers)(length);
  grown.set(numbers);
  return grown;
};

/** A row as it was read last. Its counters are 32 bits wide, wrap, and begin anew when their device is reconnected. */
class Row {
  /** Tells it from all others, at all times: the number alone will not do, for a freed one is given to another device. */
  readonly key: string;
  readonly source: EventSource | 'callbacks';
  readonly netfront: NetfrontQueue | undefined;
  readonly netback: NetbackQueue | undefined;
  /** What the row has grown by since we know it, all CPUs together. */
  total = 0;
  last = new Uint32Array(0);

  constructor(key: string, { label, kind, action }: InterruptRow, devices: NetworkDevices) {
    this.key = key;
    this.source = label === 'HYP' ? 'callbacks' : eventSource(kind, action, devices);
    this.netfront = this.source === 'netfront' ? netfrontQueue(action, devices) : undefined;
    this.netback = this.source === 'netback' ? netbackQueue(action, devices) : undefined;
  }
}

/** Adds up what the rows of /proc/interrupts grow by, from one reading to the next. */
class EventTotals {
  /** By what the events are for, then by CPU number. */
  readonly bySource = new Map<EventSource | 'callbacks', Float64Array>();
  /** The CPUs of the last reading: those online. */
  cpus: readonly number[] = [];
  #rows = new Map<string, Row>();

  /** Takes a reading of the file; returns its rows. Throws ParseError. */
  read(bytes: Uint8Array, devices: NetworkDevices): Iterable<Row> {
    const rows = new Map<string, Row>();
    parseInterrupts(bytes, (reading) => {
      const key = `${reading.label} ${reading.action}`;
      const row = this.#rows.get(key) ?? new Row(key, reading, devices);
      rows.set(key, row);
      this.cpus = reading.cpus;
      this.#grow(row, reading);
    });
    this.#rows = rows;
    return rows.values();
  }

  #grow(row: Row, { cpus, counts }: InterruptRow): void {
    const length = (cpus.at(-1) ?? 0) + 1;
    const last = (row.last = grownTo(row.last, length));
    const perCpu = grownTo(this.bySource.get(row.source) ?? new Float64Array(0), length);
    this.bySource.set(row.source, perCpu);
    for (let column = 0; column < cpus.length; column += 1) {
      const cpu = cpus[column]!;
      const now = counts[column]!;
      // Nearly all: hundreds of thousands of counts on a large host.
      if (now === last[cpu]) continue;
      const growth = growthOfU32(last[cpu]!, now);
      last[cpu] = now;
      row.total += growth;
      perCpu[cpu]! += growth;
    }
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
    const netfrontLabels = new LabelSets(metrics.netfront.labels);
    const netbackLabels = new LabelSets(metrics.netback.labels);
    const netback = new SummedCounter(metrics.netback, growthOfU64);
    const eventLabels = new LabelSets(metrics.events.labels);
    const cpuLabels = new LabelSets(metrics.callbacks.labels);
    return {
      availability: () => (onXen === true ? needs(procfs, interruptsFile) : onXen),
      sharedTasks: toolstack.naming,
      collect: ({ host: { procfs, sysfs }, out }) => {
        const devices = networkDevices(sysfs);
        const bytes = procfs.bytes(interruptsFile, maxInterruptsBytes);
        const rows = naming(procfs.path(interruptsFile), () => totals.read(bytes, devices));
        for (const row of rows) {
          if (row.netfront) {
            const { vif, queue, ring } = row.netfront;
            out.add(metrics.netfront, netfrontLabels.get(vif, queue, ring), row.total);
          }
          if (row.netback) {
            const { vif, queue, ring } = row.netback;
            const owner = toolstack.directory.ownerOf(vif.domid);
            if (owner === undefined) continue;
            const queueLabel = options.queues === 'each' ? queue : '';
            netback.feed(netbackLabels.get(owner.label, vif.device, queueLabel, ring), row.key, row.total);
          }
        }
        netback.flush(out);
        for (const [source, perCpu] of totals.bySource) {
          for (const cpu of totals.cpus) {
            const total = perCpu[cpu];
            if (source === 'callbacks') out.add(metrics.callbacks, cpuLabels.get(String(cpu)), total);
            else out.add(metrics.events, eventLabels.get(String(cpu), source), total);
          }
        }
        netfrontLabels.sweep();
        netbackLabels.sweep();
        eventLabels.sweep();
        cpuLabels.sweep();
      },
    };
  },
});
