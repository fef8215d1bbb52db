import { readdirSync, readFileSync } from 'node:fs';

/** How this process itself fares. */
export interface OwnProcess {
  /** User and system time, in seconds (getrusage(2)). */
  readonly cpuSeconds: number;
  readonly startTimeSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly heapUsedBytes: number;
  readonly openDescriptors: number;
  /** Soft limit; undefined where there is none. */
  readonly maxDescriptors: number | undefined;
  /** Time that the event loop spent on work instead of waiting for it, in seconds since the start. */
  readonly eventLoopActiveSeconds: number;
}

/** Soft limit of open descriptors; undefined where there is none. */
export const readMaxDescriptors = (): number | undefined => {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return limit === undefined ? undefined : Number(limit);
};

/** A function that takes a reading of this process. */
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
      // Without the one that lists them.
      openDescriptors: readdirSync('/proc/self/fd').length - 1,
      maxDescriptors,
      // Counted by libuv. A monitor of delays would be a timer of its own, whose wake-ups cost an idle process as much as a sampler.
      eventLoopActiveSeconds: performance.eventLoopUtilization().active / 1e3,
    };
  };
};
