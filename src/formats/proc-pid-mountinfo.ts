/** A network namespace kept by a mount: `ip netns add` and most container runtimes mount theirs. */
export interface NamespaceMount {
  /** Inode number of the namespace, as in /proc/PID/ns/net. */
  readonly inode: number;
  /** Its mount point. */
  readonly mountPoint: string;
}

// fs/proc_namespace.c, show_mountinfo escapes space, tab, newline and backslash.
const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/**
 * Parses the network-namespace mounts in /proc/PID/mountinfo. Their root is the namespace's name (fs/nsfs.c). Ignores
 * other lines.
 */
export const parseNamespaceMounts = (text: string): NamespaceMount[] =>
  [...text.matchAll(/^\d+ \d+ \d+:\d+ net:\[(\d+)\] (\S+) /gm)].map(([, inode, mountPoint]) => ({
    inode: Number(inode),
    mountPoint: unescape(mountPoint!),
  }));
