import { createTask } from 'node-cron';
import type { BackgroundTask } from '../sources/background-task.ts';
import type { Clock } from '../host/clock.ts';

/** How a background task fares. */
export interface BackgroundState {
  /** Error of the last run. Undefined if it succeeded, or none has ended yet. */
  readonly error: Error | undefined;
  /** When it last went well, in seconds since 1970. */
  readonly lastSuccess: number | undefined;
}

// Hosts of a fleet have the same cron pattern and, by NTP, the same time: each waits a while of its own.
const longestDelaySeconds = 30;
// The toolstack may not be up yet when the exporter starts, or be slow then: the next minutes by the pattern would be far.
const retrySeconds = 30;

// Timers run by the monotonic clock, patterns by the wall clock, which may be set: it is looked at this often.
const longestWaitSeconds = 60;

type Stop = () => void;

/** Calls `run` by a cron pattern, until it is stopped. When the wall clock is set, the pattern counts by its new time. */
const startCron = (pattern: string, run: () => void): Stop => {
  const task = createTask(pattern, () => {});
  let timer: NodeJS.Timeout;
  const after = (seconds: number, then: () => void): void => void (timer = setTimeout(then, seconds * 1e3).unref());
  const waitForNext = (): void => {
    const due = task.getNextRuns(1)[0]?.getTime() ?? Infinity;
    after(Math.min((due - Date.now()) / 1e3, longestWaitSeconds), () => {
      if (Date.now() < due) waitForNext();
      else after(Math.random() * longestDelaySeconds, runAndWait);
    });
  };
  const runAndWait = (): void => {
    run();
    waitForNext();
  };
  waitForNext();
  return () => {
    clearTimeout(timer);
    void task.destroy();
  };
};

class RunningTask {
  readonly state: { error: Error | undefined; lastSuccess: number | undefined } = {
    error: undefined,
    lastSuccess: undefined,
  };
  readonly #task: BackgroundTask;
  readonly #clock: Clock;
  readonly #stopCron: Stop | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isWanted = false;
  #isStopped = false;

  constructor(task: BackgroundTask, clock: Clock) {
    this.#task = task;
    this.#clock = clock;
    const run = (): void => void this.#run();
    if ('cron' in task.every) this.#stopCron = startCron(task.every.cron, run);
    task.onStart?.(run);
    run();
  }

  async #run(): Promise<void> {
    if (this.#isStopped) return;
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    clearTimeout(this.#timer);
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false;
      await this.#attempt();
    }
    this.#isRunning = false;
    const { every } = this.#task;
    const seconds = 'seconds' in every ? every.seconds : this.state.error && retrySeconds;
    if (seconds !== undefined && !this.#isStopped) {
      this.#timer = setTimeout(() => this.#run(), seconds * 1e3).unref();
    }
  }

  async #attempt(): Promise<void> {
    try {
      await this.#task.run();
      this.state.error = undefined;
      this.state.lastSuccess = this.#clock.wallSeconds();
    } catch (error) {
      this.state.error = error as Error;
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#stopCron?.();
  }
}

/** Keeps background tasks going, each once however many collectors have it. */
export class Background {
  readonly #clock: Clock;
  readonly #running = new Map<BackgroundTask, RunningTask>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(task: BackgroundTask): void {
    if (!this.#running.has(task)) this.#running.set(task, new RunningTask(task, this.#clock));
  }

  /** Undefined where it was not started. */
  stateOf(task: BackgroundTask): BackgroundState | undefined {
    return this.#running.get(task)?.state;
  }

  /** Ends all. */
  stop(): void {
    for (const task of this.#running.values()) task.stop();
    this.#running.clear();
  }
}
