import type { Clock } from '../../host/clock.ts';
import type { FileTree } from '../../host/file-tree.ts';
import { readItem, uncounted } from '../../sources/parsed.ts';

const maxFolders = 10_000;
// Users and containers may make folders below their own, which are on the second level: `user.slice/user-1000.slice`.
const maxFoldersOfBranch = 1000;
const secondsBetweenWalks = 15;

/** Readable name of a cgroup: its systemd unit if it has one, else the name of its folder. Empty for the root. */
const serviceOf = (path: string): string => {
  const parts = path.split('/');
  return parts.findLast((part) => /\.(service|scope)$/.test(part)) ?? parts.at(-1) ?? '';
};

/**
 * The services behind cgroup ids. An id is the inode number of the cgroup's folder in the cgroup2 file system, so a
 * name is found by walking the folders: when an unknown id comes, at most so often and over at most so many folders of
 * each branch, the upper ones first. What is not found is ''.
 */
export class Services {
  readonly #sysfs: FileTree;
  readonly #clock: Clock;
  #names = new Map<number, string>();
  #walkedAt = -Infinity;

  constructor(sysfs: FileTree, clock: Clock) {
    this.#sysfs = sysfs;
    this.#clock = clock;
  }

  nameOf(cgroupId: number | undefined): string {
    if (cgroupId === undefined) return '';
    const now = this.#clock.monotonicSeconds();
    if (!this.#names.has(cgroupId) && now - this.#walkedAt > secondsBetweenWalks) {
      this.#walkedAt = now;
      this.#names = this.#walk();
    }
    return this.#names.get(cgroupId) ?? '';
  }

  #walk(): Map<number, string> {
    const names = new Map<number, string>();
    // On a host with both versions of cgroups, version 2 is mounted at `unified`.
    const root = this.#sysfs.exists('fs/cgroup/unified') ? 'fs/cgroup/unified' : 'fs/cgroup';
    const foldersOf = new Map<string, number>();
    const queue = [''];
    for (let path = queue.shift(); path !== undefined && names.size < maxFolders; path = queue.shift()) {
      // A service may end while we walk, or have a folder that may not be read. Its name is one of many, and only a
      // label.
      const folders = readItem(uncounted, () => this.#sysfs.folders(`${root}/${path}`, maxFolders)) ?? [];
      for (const { name, inode } of folders) {
        const child = path === '' ? name : `${path}/${name}`;
        const branch = child.split('/', 2).join('/');
        const ofBranch = (foldersOf.get(branch) ?? 0) + 1;
        if (ofBranch > maxFoldersOfBranch || names.size >= maxFolders) break;
        foldersOf.set(branch, ofBranch);
        names.set(inode, serviceOf(child));
        queue.push(child);
      }
    }
    return names;
  }
}
