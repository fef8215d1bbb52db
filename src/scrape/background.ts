import { createTask } from 'node-cron';
import type { BackgroundTask } from '../sources/background-task.ts';
import type { Clock } from '../host/clock.ts';

/** State of a background task. */
export interface BackgroundState {
  /** Error of the last run. Undefined if it succeeded or no run has ended. */
  readonly error: Error | undefined;
  /** Time of the last success, in seconds since 1970. */
  readonly lastSuccess: number | undefined;
}

// Hosts of a fleet share the cron pattern and, by NTP, the clock. Each waits for a random time.
const longestDelaySeconds = 30;
// When the exporter starts, the toolstack may be down or slow, and the pattern's next time may be far away.
const retrySeconds = 30;

// Timers use the monotonic clock and patterns the wall clock, which may be set. Check it at this interval.
const longestWaitSeconds = 60;

type Stop = () => void;

/** Calls `run` by a cron pattern until stopped. Follows changes of the wall clock. */
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

/** Runs background tasks, each only once even if several collectors share it. */
export class Background {
  readonly #clock: Clock;
  readonly #running = new Map<BackgroundTask, RunningTask>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(task: BackgroundTask): void {
    if (!this.#running.has(task)) this.#running.set(task, new RunningTask(task, this.#clock));
  }

  /** Undefined if the task was not started. */
  stateOf(task: BackgroundTask): BackgroundState | undefined {
    return this.#running.get(task)?.state;
  }

  /** Stops every task. */
  stop(): void {
    for (const task of this.#running.values()) task.stop();
    this.#running.clear();
  }
}
