import type { FileTree } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import { NamespaceRefused, NetlinkUnavailable, type EnteredNamespace } from '../../host/netlink.ts';
import { namespaceOf, tenantOf, type FoundNamespace, type NamespaceIdentity } from './discovery.ts';

/** Whether the sockets of a network namespace are read, or not, or must not be for lack of privilege. */
export type NamespaceState = 'read' | 'unread' | 'refused';

/** Another network namespace than ours, for as long as there is a process in it. */
export class NetworkNamespace {
  /** The value of the label `netns`. */
  readonly name: string;
  /** The tenant that owns it; each has a fair share. */
  readonly tenant: string;
  readonly #identity: NamespaceIdentity;
  readonly #procfs: FileTree;
  readonly #onDeserted: () => void;
  #pids: string[];
  #entered: EnteredNamespace | undefined;
  #failure: NetlinkUnavailable | undefined;

  /** `onDeserted` is called when none of the processes that we know is in it any longer. */
  constructor(name: string, found: FoundNamespace, procfs: FileTree, onDeserted: () => void) {
    this.name = name;
    this.tenant = tenantOf(procfs, found);
    this.#identity = found;
    this.#procfs = procfs;
    this.#pids = found.pids;
    this.#onDeserted = onDeserted;
  }

  get state(): NamespaceState {
    if (this.#entered?.isOpen) return 'read';
    return this.#failure instanceof NamespaceRefused ? 'refused' : 'unread';
  }

  /** Whether none of the processes that we knew is in it any longer. */
  get isDeserted(): boolean {
    return this.#pids.length === 0;
  }

  /** Why it is not read, where an attempt failed. */
  get failure(): string | undefined {
    return this.state === 'read' ? undefined : this.#failure?.message;
  }

  /** Takes the processes that are in it now, and opens the way to its sockets where that is not open. */
  update(pids: string[], host: Host): void {
    this.#pids = pids;
    if (this.#entered?.isOpen) return;
    const pid = this.process();
    if (pid === undefined) return;
    const file = this.#procfs.path(`${pid}/ns/net`);
    const { inode } = this.#identity;
    if (inode === undefined) {
      this.#failure = new NamespaceRefused(`readlink ${file}: EACCES`);
      return;
    }
    try {
      this.#entered = host.netlink.enter(file, inode);
      this.#failure = undefined;
    } catch (error) {
      if (!(error instanceof NetlinkUnavailable)) throw error;
      this.#failure = error;
    }
  }

  /**
   * The PID of a process that is in it at this moment, whose files in /proc tell of it. Undefined where none is left of
   * those that we know: then it is closed, for our socket would keep it alive.
   */
  process(): string | undefined {
    for (let pid = this.#pids[0]; pid !== undefined; pid = this.#pids[0]) {
      // The PID may be another process's by now.
      if (namespaceOf(this.#procfs, pid)?.id === this.#identity.id) return pid;
      this.#pids.shift();
    }
    this.close();
    this.#onDeserted();
    return undefined;
  }

  /**
   * Returns the result of `read` in the namespace. Undefined if its netlink fails. Other errors of `read` pass through.
   */
  read<Reading>(read: (entered: EnteredNamespace) => Reading): Reading | undefined {
    const entered = this.#entered;
    if (!entered?.isOpen || this.process() === undefined) return undefined;
    try {
      return read(entered);
    } catch (error) {
      if (!(error instanceof NetlinkUnavailable)) throw error;
      // The exchange has closed it; it is entered again at the next discovery.
      this.#failure = error;
      return undefined;
    }
  }

  close(): void {
    this.#entered?.close();
  }
}
