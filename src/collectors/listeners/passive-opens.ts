import { parsePassiveOpens } from '../../formats/proc-net-counters.ts';
import type { FileTree } from '../../host/file-tree.ts';
import { parsedCachedIfAny, readItem, uncounted } from '../../sources/parsed.ts';

/**
 * The connections that listeners of our own network namespace got: servers that accept at once keep their queues empty.
 */
export class PassiveOpens {
  readonly #procfs: FileTree;
  #last: number | undefined;

  constructor(procfs: FileTree) {
    this.#procfs = procfs;
    this.#last = this.#read();
  }

  /**
   * Whether there are more than when it was asked last, or made. False if they cannot be read: then only the queues
   * show activity.
   */
  haveGrown(): boolean {
    const last = this.#last;
    this.#last = this.#read();
    return last !== undefined && this.#last !== undefined && this.#last !== last;
  }

  #read(): number | undefined {
    return readItem(uncounted, () => parsedCachedIfAny(this.#procfs, 'net/snmp', parsePassiveOpens));
  }
}
