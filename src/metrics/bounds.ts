/**
 * Plausible readings of a counter, in its own unit, for each item that it sums (CPU, vCPU, device). Readings outside
 * are absurd: a kernel underflow, a file read while it changed, or another device under the same name.
 */
export interface Bounds {
  /**
   * Largest step back that is noise, unless `noiseShare` is larger: the source takes back what it counted too early.
   */
  readonly stepBack: number;
  /** Largest growth per second of monotonic time. */
  readonly perSecond: number;
  /** The source counts a time span when it ends, so growth after a standstill may cover the whole span. */
  readonly countsAtEnd?: true;
}

/**
 * A step back by at most this ratio of the earlier reading is noise in every counter: the kernel sums its CPUs one
 * after another and takes back early counts. A source that restarts begins at 0. It lands this close to its last
 * reading (of 100 or more) only by chance, and then that growth is lost.
 */
export const noiseShare = 0.01;

/** Bounds of all counters by unit. The rates exceed any existing hardware, so no real reading is refused. */
export const bounds = {
  /**
   * Ticks (USER_HZ) of one CPU in one mode. The kernel takes back iowait of an idle CPU, and steal after a migration.
   */
  cpuTicks: { stepBack: 1000, perSecond: 100 },
  /** Tenths of a second in which one vCPU ran. xl reads the vCPUs of a domain one after another. */
  vcpuTenths: { stepBack: 10, perSecond: 10 },
  /** Nanoseconds that one thread ran (schedstat). */
  threadNanoseconds: { stepBack: 0, perSecond: 1e9 },
  /** Nanoseconds that one thread waited for a CPU (schedstat). The kernel counts a wait when the thread gets to run. */
  threadWaitNanoseconds: { stepBack: 0, perSecond: 1e9, countsAtEnd: true },
  /** Seconds that one item, such as a full queue, spends in a state. */
  seconds: { stepBack: 1, perSecond: 1 },
  /** Packets of one device. */
  packets: { stepBack: 0, perSecond: 200e6 },
  /** Packets, or slots of a ring, of one queue, one qdisc or one CPU. */
  queuePackets: { stepBack: 0, perSecond: 20e6 },
  /** Bytes of one device: 1.6 Tb/s. */
  bytes: { stepBack: 0, perSecond: 200e9 },
  /** Interrupts of one source on one CPU, events of one device. */
  events: { stepBack: 0, perSecond: 5e6 },
  /** Ticks (CONFIG_HZ, at most 1000) of event delay of one device, which may have many channels. */
  delayTicks: { stepBack: 0, perSecond: 1000 * 1024 },
  /** Requests of one block device. */
  requests: { stepBack: 0, perSecond: 50e6 },
  /** Sectors of 512 bytes of one block device: 200 GB/s. */
  sectors: { stepBack: 0, perSecond: 400e6 },
  /** Connections, and packets about them, of one network namespace, one listener, or one CPU. */
  connections: { stepBack: 0, perSecond: 10e6 },
  /** Observations of the vCPUs of one domain (at most 512). */
  observations: { stepBack: 0, perSecond: 512 * 20 },
} as const satisfies Record<string, Bounds>;
