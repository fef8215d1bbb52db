/** A network namespace that a mount keeps: `ip netns add`, and most container runtimes, mount theirs somewhere. */
export interface NamespaceMount {
  /** Inode number of the namespace, as in /proc/PID/ns/net. */
  readonly inode: number;
  /** Where it is mounted. */
  readonly mountPoint: string;
}

// fs/proc_namespace.c, show_mountinfo: space, tab, newline and backslash are escaped.
const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Reads the mounts of network namespaces from /proc/PID/mountinfo. Their root is the namespace's own name (fs/nsfs.c). Other lines are skipped. */
export const parseNamespaceMounts = (text: string): NamespaceMount[] =>
  [...text.matchAll(/^\d+ \d+ \d+:\d+ net:\[(\d+)\] (\S+) /gm)].map(([, inode, mountPoint]) => ({
    inode: Number(inode),
    mountPoint: unescape(mountPoint!),
  }));
