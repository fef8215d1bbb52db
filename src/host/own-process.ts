import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

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
  /** How late the event loop was since the last reading, in seconds: median, 99th percentile, worst. */
  readonly eventLoopDelaySeconds: { readonly p50: number; readonly p99: number; readonly max: number };
}

// The monitor is a timer: Node's default of 10 ms would wake an idle process 100 times a second.
const resolutionMs = 50;

const readMaxDescriptors = (): number | undefined => {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return limit === undefined ? undefined : Number(limit);
};

/** Begins to watch the event loop; returns the function that takes a reading. */
export const watchOwnProcess = (): (() => OwnProcess) => {
  const startTimeSeconds = Date.now() / 1e3 - process.uptime();
  const maxDescriptors = readMaxDescriptors();
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  // The monitor counts from one tick of its timer to the next; what is over its period is delay. Without a tick it gives NaN or nonsense.
  const late = (nanoseconds: number): number =>
    delay.count > 0 ? Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3) : 0;

  return () => {
    const { user, system } = process.cpuUsage();
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    const eventLoopDelaySeconds = {
      p50: late(delay.percentile(50)),
      p99: late(delay.percentile(99)),
      max: late(delay.max),
    };
    delay.reset();
    return {
      cpuSeconds: (user + system) / 1e6,
      startTimeSeconds,
      residentBytes: rss,
      heapBytes: heapTotal,
      heapUsedBytes: heapUsed,
      // Without the one that lists them.
      openDescriptors: readdirSync('/proc/self/fd').length - 1,
      maxDescriptors,
      eventLoopDelaySeconds,
    };
  };
};
