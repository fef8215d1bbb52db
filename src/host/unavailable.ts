/** Something is unavailable on this machine. The reason is a clause: `there is no xl on the PATH`. */
export class Unavailable {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }

  /** From the error of a failed attempt. */
  static because(error: unknown): Unavailable {
    return new Unavailable((error as Error).message);
  }
}

/** True if available, else the reason. */
export type Availability = true | Unavailable;
