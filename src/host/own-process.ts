import { readdirSync, readFileSync } from 'node:fs';

/** State of this process. */
export interface OwnProcess {
  /** User and system time, in seconds (getrusage(2)). */
  readonly cpuSeconds: number;
  readonly startTimeSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly heapUsedBytes: number;
  readonly openDescriptors: number;
  /** Soft limit; undefined if there is none. */
  readonly maxDescriptors: number | undefined;
  /** Time that the event loop was busy, in seconds since the start. */
  readonly eventLoopActiveSeconds: number;
}

/** Soft limit of open descriptors; undefined if there is none. */
export const readMaxDescriptors = (): number | undefined => {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return limit === undefined ? undefined : Number(limit);
};

/** Returns a function that reads this process's state. */
export const ownProcess = (): (() => OwnProcess) => {
  const startTimeSeconds = Date.now() / 1e3 - process.uptime();
  const maxDescriptors = readMaxDescriptors();
  return () => {
    const { user, system } = process.cpuUsage();
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    return {
      cpuSeconds: (user + system) / 1e6,
      startTimeSeconds,
      residentBytes: rss,
      heapBytes: heapTotal,
      heapUsedBytes: heapUsed,
      // Without the descriptor of this listing.
      openDescriptors: readdirSync('/proc/self/fd').length - 1,
      maxDescriptors,
      // Counted by libuv. A delay monitor needs a timer, whose wake-ups cost an idle process as much as a sampler.
      eventLoopActiveSeconds: performance.eventLoopUtilization().active / 1e3,
    };
  };
};
