import { FileError } from '../../host/file-tree.ts';
import type { Host } from '../../host/host.ts';
import type { BackgroundTask } from '../background-task.ts';
import { isOfFile } from '../parsed.ts';
import { fairOrder, findNamespaces, type FoundNamespace } from './discovery.ts';
import { NamespaceNames } from './names.ts';
import { NetworkNamespace, type NamespaceState } from './network-namespace.ts';

/** Which network namespaces to read. */
export interface NamespaceSettings {
  /** Our own alone, or all in which there is a process. */
  readonly scope: 'self' | 'all';
  /** Between two looks at which there are. */
  readonly intervalSeconds: number;
  /** Others than ours to read at most. */
  readonly most: number;
}

// A namespace may lose all the processes that we know of many times a second and have others.
const leastSecondsBetweenLooks = 1;
// Number of namespaces beyond the limit that are named.
const mostNamedUnread = 100;

/**
 * The other network namespaces of this machine, shared by the collectors whose numbers belong to one. Found by the
 * processes in them: one that comes is found within an interval, one whose last process has gone is closed when it is
 * read next, at the latest after an interval.
 */
export class NetworkNamespaces {
  /** Background tasks that keep the list current. Empty if only our own is read. */
  readonly background: readonly BackgroundTask[];
  readonly #host: Host;
  readonly #most: number;
  readonly #names: NamespaceNames;
  /** Namespaces to read now, and the next ones. */
  readonly #known = new Map<string, NetworkNamespace>();
  #chosen: readonly NetworkNamespace[] = [];
  #next: readonly NetworkNamespace[] = [];
  #beyondMost = 0;
  #lookedAt = -Infinity;
  #lookNow: (() => void) | undefined;

  constructor(host: Host, { scope, intervalSeconds, most }: NamespaceSettings) {
    this.#host = host;
    this.#most = most;
    this.#names = new NamespaceNames(host.procfs);
    this.background =
      scope === 'self'
        ? []
        : [
            {
              every: { seconds: intervalSeconds },
              run: () => this.#look(),
              onStart: (runNow) => (this.#lookNow = runNow),
            },
          ];
  }

  /** Whether others than ours are looked for at all. */
  get areWanted(): boolean {
    return this.background.length > 0;
  }

  /** Namespaces to read. */
  get others(): readonly NetworkNamespace[] {
    return this.#chosen;
  }

  /**
   * Namespaces whose sockets are not read. Beyond the limit at most a hundred, with a fair share for each tenant, and
   * none without TCP sockets.
   */
  get unread(): readonly NetworkNamespace[] {
    return [...this.#chosen, ...this.#next].filter(({ state, isDeserted }) => state !== 'read' && !isDeserted);
  }

  /** How many there are in each state, without ours. */
  count(): Record<NamespaceState, number> {
    const counts = { read: 0, unread: this.#beyondMost, refused: 0 };
    for (const { state } of this.#chosen) counts[state] += 1;
    return counts;
  }

  /** Which are not read and why, in words; undefined where all are. */
  limitations(): string | undefined {
    const { read, unread, refused } = this.count();
    if (unread + refused === 0) return undefined;
    const reasons = new Set(this.others.flatMap(({ failure }) => failure ?? []));
    const [reason] = reasons;
    return [
      `the listeners of ${unread + refused} of ${read + unread + refused} other network namespaces`,
      ...(refused > 0 ? ['which needs CAP_SYS_ADMIN and CAP_SYS_PTRACE'] : []),
      ...(this.#beyondMost > 0 ? [`at most ${this.#most} are read`] : []),
      ...(reason === undefined ? [] : [reason]),
    ].join('; ');
  }

  /** Closes all. */
  close(): void {
    for (const namespace of this.#known.values()) namespace.close();
  }

  async #look(): Promise<void> {
    const { procfs, clock } = this.#host;
    const found = await findNamespaces(procfs);
    const { chosen, next } = await this.#choose(found);
    const listed = [...chosen, ...next];
    this.#forgetAllBut(new Set(listed.map(({ id }) => id)));
    if (listed.some(({ id }) => !this.#known.has(id))) this.#names.refresh();
    this.#chosen = this.#forEach(chosen, (namespace, { pids }) => namespace.update(pids, this.#host));
    this.#next = this.#forEach(next, (namespace) => namespace.close());
    this.#beyondMost = found.length - chosen.length;
    this.#lookedAt = clock.monotonicSeconds();
  }

  #forEach(
    all: readonly FoundNamespace[],
    use: (namespace: NetworkNamespace, found: FoundNamespace) => void,
  ): NetworkNamespace[] {
    return all.flatMap((found) => {
      const namespace = this.#knownAs(found);
      if (namespace) use(namespace, found);
      return namespace ?? [];
    });
  }

  async #choose(found: FoundNamespace[]): Promise<{ chosen: FoundNamespace[]; next: FoundNamespace[] }> {
    if (found.length <= this.#most) return { chosen: found, next: [] };
    const read = new Set(this.#chosen);
    const isRead = ({ id }: FoundNamespace): boolean => read.has(this.#known.get(id)!);
    const { inUse, empty } = await fairOrder(this.#host.procfs, found, isRead);
    return {
      chosen: [...inUse, ...empty].slice(0, this.#most),
      next: inUse.slice(this.#most, this.#most + mostNamedUnread),
    };
  }

  #forgetAllBut(ids: ReadonlySet<string>): void {
    for (const [id, namespace] of this.#known) {
      if (ids.has(id)) continue;
      namespace.close();
      this.#names.release(namespace.name);
      this.#known.delete(id);
    }
  }

  /**
   * The namespace, with the name that it has or is given. Undefined where its process has gone before we could name it.
   */
  #knownAs(found: FoundNamespace): NetworkNamespace | undefined {
    const known = this.#known.get(found.id);
    if (known) return known;
    const { procfs } = this.#host;
    try {
      const name = this.#names.take(found.id, found.inode, found.pids[0]!);
      const namespace = new NetworkNamespace(name, found, procfs, () => this.#lookSoon());
      this.#known.set(found.id, namespace);
      return namespace;
    } catch (error) {
      if (error instanceof FileError || isOfFile(error)) return undefined;
      throw error;
    }
  }

  #lookSoon(): void {
    if (this.#host.clock.monotonicSeconds() - this.#lookedAt >= leastSecondsBetweenLooks) this.#lookNow?.();
  }
}
