import { parseInterrupts, type InterruptRow } from '../formats/proc-interrupts.ts';
import { growthOfU32 } from '../metrics/accumulator.ts';
import { counter } from '../metrics/descriptor.ts';
import { LabelSets } from '../metrics/labels.ts';
import { defineCollector } from './collector.ts';
import { eventSource, netfrontQueue, type EventSource, type NetfrontQueue } from './event-source.ts';
import { naming, needs } from './parsed.ts';
import { needsXen, netfrontDevices } from './xen.ts';

const file = 'interrupts';
// 256 CPUs and 2 000 rows are 6 MB.
const maxBytes = 32 << 20;

const metrics = {
  netfront: counter(
    'xen_netfront_interrupts_total',
    'Events that Dom0 sent to the guest\'s network device, by queue and ring: "rx" packets came, "tx" sent packets were taken, "shared" one event channel for both. Events that arrive while one is pending count once. Source: /proc/interrupts.',
    ['vif', 'queue', 'ring'],
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
  readonly source: EventSource | 'callbacks';
  readonly queue: NetfrontQueue | undefined;
  /** What the row has grown by since we know it, all CPUs together. */
  total = 0;
  last = new Uint32Array(0);

  constructor({ label, kind, action }: InterruptRow, vifOf: ReadonlyMap<string, string>) {
    this.source = label === 'HYP' ? 'callbacks' : eventSource(kind, action, vifOf);
    this.queue = this.source === 'netfront' ? netfrontQueue(action, vifOf) : undefined;
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
  read(bytes: Uint8Array, vifOf: ReadonlyMap<string, string>): Iterable<Row> {
    const rows = new Map<string, Row>();
    parseInterrupts(bytes, (reading) => {
      // The number alone will not do: a freed one is given to another device.
      const key = `${reading.label} ${reading.action}`;
      const row = this.#rows.get(key) ?? new Row(reading, vifOf);
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
  cadence: 'live',
  maxSeries: 8192,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { procfs, sysfs } }) => {
    const onXen = needsXen(sysfs);
    const totals = new EventTotals();
    const queueLabels = new LabelSets(metrics.netfront.labels);
    const eventLabels = new LabelSets(metrics.events.labels);
    const cpuLabels = new LabelSets(metrics.callbacks.labels);
    return {
      applies: () => (onXen === true ? needs(procfs, file) : onXen),
      collect: ({ host: { procfs, sysfs }, out }) => {
        const vifOf = new Map(netfrontDevices(sysfs).map(({ vif, device }) => [device, vif]));
        const bytes = procfs.bytes(file, maxBytes);
        const rows = naming(procfs.path(file), () => totals.read(bytes, vifOf));
        for (const { queue, total } of rows) {
          if (queue) out.add(metrics.netfront, queueLabels.get(queue.vif, queue.queue, queue.ring), total);
        }
        for (const [source, perCpu] of totals.bySource) {
          for (const cpu of totals.cpus) {
            const total = perCpu[cpu];
            if (source === 'callbacks') out.add(metrics.callbacks, cpuLabels.get(String(cpu)), total);
            else out.add(metrics.events, eventLabels.get(String(cpu), source), total);
          }
        }
        queueLabels.sweep();
        eventLabels.sweep();
        cpuLabels.sweep();
      },
    };
  },
});
