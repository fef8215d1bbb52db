import { createTask } from 'node-cron';
import type { Skip } from '../formats/parse-error.ts';
import type { Clock } from '../host/clock.ts';
import type { CommandOutput, Command, Commands } from '../host/commands.ts';
import type { BackgroundTask } from './background-task.ts';

const periodsUntilStale = 3;

/** The longest time between two upcoming runs: a cron pattern may run only at night. */
const periodSeconds = (every: BackgroundTask['every']): number => {
  if ('seconds' in every) return every.seconds;
  const task = createTask(every.cron, () => {});
  const runs = task.getNextRuns(periodsUntilStale + 1).map((run) => run.getTime() / 1e3);
  void task.destroy();
  return Math.max(0, ...runs.slice(1).map((run, i) => run - runs[i]!));
};

/** Reports that a reading may be incomplete, and why. */
export type Doubt = (why: string) => void;

/**
 * A slow reading of the machine, taken in the background and shared by collectors. An incomplete reading is a failure.
 * It replaces the last good one only when that is too old to serve.
 */
export class BackgroundReading<Reading> implements BackgroundTask {
  readonly every: BackgroundTask['every'];
  readonly #name: string;
  readonly #clock: Clock;
  readonly #read: (doubt: Doubt) => Promise<Reading>;
  #freshSeconds = 0;
  #last: { reading: Reading; at: number; took: number; isDoubtful: boolean } | undefined;
  #runNow: (() => void) | undefined;
  #hasFailed = false;

  /** `name` identifies the reading in errors. */
  constructor(spec: {
    name: string;
    every: BackgroundTask['every'];
    clock: Clock;
    read: (doubt: Doubt) => Promise<Reading>;
  }) {
    this.every = spec.every;
    this.#name = spec.name;
    this.#clock = spec.clock;
    this.#read = spec.read;
  }

  async run(): Promise<void> {
    try {
      const began = this.#clock.monotonicSeconds();
      const doubts: string[] = [];
      const reading = await this.#read((why) => doubts.push(why));
      const at = this.#clock.monotonicSeconds();
      const isDoubtful = doubts.length > 0;
      if (!isDoubtful || this.#last?.isDoubtful !== false || this.staleness !== undefined) {
        this.#last = { reading, at, took: at - began, isDoubtful };
        this.#freshSeconds = periodsUntilStale * periodSeconds(this.every);
      }
      if (isDoubtful) throw new Error(doubts[0]);
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }

  /** Whether the last completed attempt failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  onStart(runNow: () => void): void {
    this.#runNow = runNow;
  }

  /** Starts a reading now, without waiting for it. */
  refresh(): void {
    this.#runNow?.();
  }

  /** The last good reading; undefined before the first, and when it is three periods old. */
  get fresh(): Reading | undefined {
    return this.staleness === undefined ? this.#last?.reading : undefined;
  }

  /** An error while the last good reading is too old to serve. */
  get staleness(): Error | undefined {
    if (this.#last === undefined) return undefined;
    const age = this.#clock.monotonicSeconds() - this.#last.at;
    if (age <= this.#freshSeconds) return undefined;
    const [most, found] = [this.#freshSeconds, age].map(Math.round);
    return new Error(`${this.#name}: expected a reading at most ${most} s old, found one ${found} s old`);
  }

  /** End of the last good reading (seconds of monotonic time) and its duration in seconds, for readings of counters. */
  get taken(): { readonly at: number; readonly took: number } | undefined {
    return this.#last;
  }

  /** The last good reading, of any age. */
  get last(): Reading | undefined {
    return this.#last?.reading;
  }
}

/**
 * Runs a command and parses its output. A parser's error names the command and its first complaint. Errors of skipped
 * rows are doubts. So is a complaint alone, because xl exits with 0 after many failures that cut its output, unless the
 * complaint is `harmless` (not about the output).
 */
export const readCommand = async <Reading>(
  commands: Commands,
  command: Command,
  parse: (stdout: string, skip: Skip) => Reading,
  doubt: Doubt,
  harmless: readonly RegExp[] = [],
): Promise<Reading> => {
  const line = [command.file, ...command.args].join(' ');
  const { stdout, complaint }: CommandOutput = await commands.run(command);
  const said = complaint.split('\n').find((each) => each !== '' && !harmless.some((pattern) => pattern.test(each)));
  const describe = (error: Error): string =>
    `${line}: ${error.message}${said === undefined ? '' : ` (it said: ${said})`}`;
  let reading: Reading;
  try {
    reading = parse(stdout, (error) => doubt(describe(error)));
  } catch (error) {
    throw new Error(describe(error as Error), { cause: error });
  }
  if (said !== undefined) doubt(`${line}: exit status 0, but a complaint: ${said}`);
  return reading;
};
