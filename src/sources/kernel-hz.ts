import { hasJiffies, parseTimerList, type TimerList } from '../formats/proc-timer-list.ts';
import { isForbidden, isMissing, isUnanswered, type FileTree } from '../host/file-tree.ts';
import { naming } from './parsed.ts';

const file = 'timer_list';
// Possible values of CONFIG_HZ (kernel/Kconfig.hz).
const rates = [100, 250, 300, 1000];
const tolerance = 0.05;
const leastSeconds = 1;

const readTimerList = (procfs: FileTree): TimerList => {
  const text = procfs.textUntil(file, hasJiffies);
  return naming(procfs.path(file), () => parseTimerList(text));
};

/**
 * The kernel's tick rate, which no file contains. Measured from the growth of jiffies between two readings, then
 * constant.
 */
export class KernelHz {
  #value: number | undefined;
  #first: TimerList | undefined;
  #missing = 'not measured yet, which takes two scrapes';

  /** Undefined until it is known. */
  get value(): number | undefined {
    return this.#value;
  }

  /** Explains why it is not known. */
  get missing(): string {
    return `event delays: the kernel counts them in jiffies of unknown length (${this.#missing})`;
  }

  /**
   * Takes a reading if one is still needed. Throws ParseError and FileError, except if the file is missing or forbidden
   * or the helper does not answer.
   */
  update(procfs: FileTree): void {
    if (this.#value !== undefined) return;
    try {
      const now = readTimerList(procfs);
      this.#first ??= now;
      const seconds = now.nowSeconds - this.#first.nowSeconds;
      if (seconds < leastSeconds) return;
      const measured = (now.jiffies - this.#first.jiffies) / seconds;
      this.#value = rates.find((rate) => Math.abs(measured - rate) < tolerance * rate);
      this.#missing = `jiffies grew by ${measured.toFixed(1)} a second, which is not a Linux tick rate`;
      this.#first = now;
    } catch (error) {
      if (!isMissing(error) && !isForbidden(error) && !isUnanswered(error)) throw error;
      this.#missing = (error as Error).message;
    }
  }
}
