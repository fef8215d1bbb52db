/** A slow reading of the machine, taken again and again, never twice at once. The same object may serve several collectors. */
export interface BackgroundTask {
  /** Seconds between the end of one run and the start of the next; or a cron pattern, and once at the start. */
  readonly every: { readonly seconds: number } | { readonly cron: string };
  run(): Promise<void>;
  /** Says so while its last good reading is too old to serve, which no error of a run shows if no run ends. */
  readonly staleness?: Error | undefined;
  /** Takes a function that has the task run now, or once more where it is running. */
  onStart?(runNow: () => void): void;
}
