/** Says that something is not available on this machine, and why, as a clause for people: `there is no xl on the PATH`. */
export class Unavailable {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }

  /** Message of a failed attempt. */
  static because(error: unknown): Unavailable {
    return new Unavailable((error as Error).message);
  }
}

/** True where something is available, else why not. */
export type Availability = true | Unavailable;
