import { basename } from 'node:path';
import { ignore } from '../../formats/parse-error.ts';
import { parsePidCgroup } from '../../formats/proc-pid-cgroup.ts';
import { parseNamespaceMounts } from '../../formats/proc-pid-mountinfo.ts';
import type { FileTree } from '../../host/file-tree.ts';
import { parsed, readItem, uncounted } from '../parsed.ts';

// The folder of a pod's cgroup, whichever driver made it: `kubepods-burstable-pod0b76..._008dbe.slice`,
// `pod0b76...-008dbe`. The containers of a pod share a network namespace, and come and go.
const pod = /^(kubepods-\S*)?pod[0-9a-f][\w-]{31,35}(\.slice)?$/;
// Docker, Podman, containerd and CRI-O put the container's 64 hex digits in its name; then systemd-machined,
// systemd-nspawn and LXC.
const container = /[0-9a-f]{64}|^machine-.+\.scope$|^systemd-nspawn@.+\.service$|^lxc\.payload\..+/;
const containerOfOldLxc = /^\/lxc\/([^/]+)/;
const service = /^(?!user@).+\.service$/;

// A name ends up in commands that people paste into a shell, and who may make a cgroup may name it as he likes.
const isHarmless = (name: string): boolean => /^[\w.:@+\\][\w.:@+\\-]{0,127}$/.test(name);

// An id as `take` puts it into labels; inode numbers of namespaces begin at 0xF0000000 (fs/proc/generic.c). A name that
// ends in one could take the label of another namespace.
const endsInId = (name: string): boolean => /(^|@)(proc:.*|\d{10,})$/.test(name);

const partOf = (paths: readonly string[], pattern: RegExp): string | undefined =>
  paths.flatMap((path) => path.split('/')).findLast((part) => pattern.test(part));

/** Names of network namespaces as people know them. Reads files of processes. */
export class NamespaceNames {
  readonly #procfs: FileTree;
  readonly #taken = new Set<string>();
  #mounts: ReadonlyMap<number, string> = new Map();

  constructor(procfs: FileTree) {
    this.#procfs = procfs;
  }

  /** Reads anew where network namespaces are mounted. */
  refresh(): void {
    const mounts = readItem(uncounted, () => parsed(this.#procfs, 'self/mountinfo', parseNamespaceMounts)) ?? [];
    this.#mounts = new Map(mounts.map(({ inode, mountPoint }) => [inode, basename(mountPoint)]));
  }

  /**
   * Names a namespace by a process in it: the cgroup of its container or pod, else where it is mounted (`ip netns`),
   * else its systemd service, else its id. Of two with the same name the second has its id behind. Throws FileError,
   * ParseError.
   */
  take(id: string, inode: number | undefined, pid: string): string {
    const [name = id] = this.#candidates(inode, pid).filter(
      (each) => each !== undefined && isHarmless(each) && !endsInId(each),
    );
    const unique = this.#taken.has(name) ? `${name}@${id}` : name;
    this.#taken.add(unique);
    return unique;
  }

  /** Gives a name back. */
  release(name: string): void {
    this.#taken.delete(name);
  }

  #candidates(inode: number | undefined, pid: string): (string | undefined)[] {
    const paths = parsed(this.#procfs, `${pid}/cgroup`, (text) => parsePidCgroup(text, ignore));
    const [, oldLxc] = paths.map((path) => containerOfOldLxc.exec(path)).find((match) => match !== null) ?? [];
    const mount = inode === undefined ? undefined : this.#mounts.get(inode);
    return [partOf(paths, pod), partOf(paths, container), oldLxc, mount, partOf(paths, service)];
  }
}
