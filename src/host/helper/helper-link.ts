import type { Log } from '../log.ts';
import { sendRequest } from './client.ts';
import { answerIn, type HelperStatus } from './protocol.ts';
import { programsFor, remoteCollectors, statusRequest } from './requests.ts';

const secondsBetweenLooks = 5;
const allPrograms = programsFor(new Set(remoteCollectors));

/** State of the helper, refreshed every few seconds. */
export class HelperLink {
  readonly #socket: string;
  readonly #log: Log;
  /** Its last status. Undefined while it does not answer. */
  status: HelperStatus | undefined;
  #programs: ReadonlySet<string> | undefined;
  #isLogged: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: string, log: Log) {
    this.#socket = socket;
    this.#log = log;
  }

  /**
   * Whether the helper has this program. If it has never answered, assume that it has: running the program then reports
   * the reason.
   */
  has(program: string): boolean {
    return this.#programs?.has(program) ?? allPrograms.includes(program);
  }

  /** Requests the status now and then regularly. */
  async watch(): Promise<void> {
    await this.#look();
    this.#timer = setTimeout(() => void this.watch(), secondsBetweenLooks * 1e3).unref();
  }

  /** Stops requesting. */
  close(): void {
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      this.status = answerIn<HelperStatus>(await sendRequest(this.#socket, statusRequest).last);
      this.#programs = new Set(this.status.programs);
      this.#logOnce(true, () => this.#log.info('The helper answers', { version: this.status!.version }));
    } catch (error) {
      this.status = undefined;
      this.#logOnce(false, () => this.#log.error('The helper does not answer', { err: (error as Error).message }));
    }
  }

  #logOnce(answers: boolean, log: () => void): void {
    if (this.#isLogged !== answers) log();
    this.#isLogged = answers;
  }
}
