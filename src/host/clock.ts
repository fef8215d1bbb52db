/** Time sources. Tests substitute their own. */
export interface Clock {
  /** Seconds since a fixed moment. Never goes backwards and ignores changes of the date. */
  monotonicSeconds(): number;
  /** Seconds since 1970. */
  wallSeconds(): number;
  /** CPU time of this process, user and system, in seconds (getrusage(2)). */
  cpuSeconds(): number;
}

export const systemClock: Clock = {
  monotonicSeconds: () => performance.now() / 1e3,
  wallSeconds: () => Date.now() / 1e3,
  cpuSeconds: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};
