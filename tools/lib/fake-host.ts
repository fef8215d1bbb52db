import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../../src/host/clock.ts';
import type { Commands } from '../../src/host/commands.ts';
import { FileTree } from '../../src/host/file-tree.ts';
import type { Host } from '../../src/host/host.ts';
import { noNetlink, type Keep, type Netlink } from '../../src/host/netlink.ts';
import { localTracefs, type Tracefs } from '../../src/host/tracefs.ts';

/** A clock that advances only on request. */
export const fakeClock = (): Clock & { advance(seconds: number): void } => {
  let now = 1000;
  return {
    monotonicSeconds: () => now,
    wallSeconds: () => now + 1_700_000_000,
    cpuSeconds: () => now / 100,
    advance: (seconds) => {
      now += seconds;
    },
  };
};

/** A temporary folder. */
export class TempTree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'xen-exporter-test-'));

  /** Writes files and creates their folders. */
  write(files: Readonly<Record<string, string | Uint8Array>>): this {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, name)), { recursive: true });
      writeFileSync(join(this.root, name), content);
    }
    return this;
  }

  /** Writes an executable shell script. Returns its path. */
  writeScript(name: string, body: string): string {
    this.write({ [name]: `#!/bin/sh\n${body}\n` });
    chmodSync(this.path(name), 0o755);
    return this.path(name);
  }

  path(name: string): string {
    return join(this.root, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

const noCommands: Commands = {
  find: () => undefined,
  searched: 'among the recorded programs',
  run: () => Promise.reject(new Error('no commands here')),
  stream: () => Promise.reject(new Error('no commands here')),
  close: () => {},
};

/** A host from the folders `proc`, `sys` and `dev/shm/metrics` below `root`. All other parts are empty unless given. */
export const fakeHost = (
  root: string,
  parts: { netlink?: Netlink; commands?: Partial<Commands>; clock?: Clock; tracefs?: Tracefs } = {},
): Host => ({
  procfs: new FileTree(join(root, 'proc')),
  sysfs: new FileTree(join(root, 'sys')),
  debugfs: new FileTree(join(root, 'sys/kernel/debug')),
  rrdMetrics: new FileTree(join(root, 'dev/shm/metrics')),
  tracefs: parts.tracefs ?? localTracefs(join(root, 'sys/kernel/tracing')),
  netlink: parts.netlink ?? noNetlink('this is a copy of files'),
  commands: { ...noCommands, ...parts.commands },
  clock: parts.clock ?? fakeClock(),
});

/** Applies `keep` to an answer in one piece and returns the rest. */
export const kept = (answer: Uint8Array, keep: Keep = ({ length }) => length): Uint8Array => {
  const piece = Uint8Array.from(answer);
  return piece.subarray(0, keep(piece));
};

/** A netlink that answers requests with the bytes that `answer` returns. */
export const replayNetlink = (answer: (protocol: string, request: Uint8Array) => Uint8Array): Netlink => ({
  ...noNetlink('this is a copy of files'),
  exchange: (protocol, request, keep) => kept(answer(protocol, request), keep),
});
