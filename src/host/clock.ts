/** Time as the product needs it; tests put their own in. */
export interface Clock {
  /** Seconds since some fixed moment; never goes backwards, unaffected by changes of the date. */
  monotonicSeconds(): number;
  /** Seconds since 1970. */
  wallSeconds(): number;
  /** CPU time that this process has used, user and system, in seconds (getrusage(2)). */
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
