/** A slow reading of the machine, repeated, never twice at once. Several collectors may share the object. */
export interface BackgroundTask {
  /**
   * Seconds between the end of one run and the start of the next, or a cron pattern with an additional run at the
   * start.
   */
  readonly every: { readonly seconds: number } | { readonly cron: string };
  run(): Promise<void>;
  /** Set while the last good reading is too old to serve. A hung run shows no other error. */
  readonly staleness?: Error | undefined;
  /** Receives a function that runs the task now, or once more if it is running. */
  onStart?(runNow: () => void): void;
}
