import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FileError, FileTree, unlessMissing } from '../../src/host/file-tree.ts';
import { OpenFileCache } from '../../src/host/open-file-cache.ts';
import { exitOf } from '../../tools/lib/child.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

const buffer = Buffer.alloc(64 << 10);
let tree: TempTree;
beforeEach(() => {
  tree = new TempTree();
});
afterEach(() => tree[Symbol.dispose]());

const read = (kept: OpenFileCache, name: string): string | undefined => {
  const length = kept.read(tree.path(name), buffer);
  return length === undefined ? undefined : buffer.toString('utf8', 0, length);
};

/** Number of this process's open files below a folder. */
const openBelow = (folder: string): number => {
  const self = new FileTree('/proc/self/fd');
  const targets = readdirSync(self.root).map((descriptor) => unlessMissing(() => self.linkIfAny(descriptor)));
  return targets.filter((target) => target?.startsWith(`${folder}/`)).length;
};

test('what is in the file now, on each reading, shorter or longer', () => {
  const kept = new OpenFileCache(10);
  const contents = ['12\n', '1\n', '', '345\n'];
  const readings = contents.map((content) => {
    tree.write({ events: content });
    return read(kept, 'events');
  });
  expect(readings).toEqual(contents);
  expect([kept.size, openBelow(tree.root)]).toEqual([1, 1]);
});

test('a file that is not there is none, and may come later', () => {
  const kept = new OpenFileCache(10);
  expect([read(kept, 'events'), kept.size]).toEqual([undefined, 0]);
  tree.write({ events: '1\n' });
  expect([read(kept, 'events'), kept.size]).toEqual(['1\n', 1]);
});

test('no more than so many are kept; others are read in the ordinary way', () => {
  const kept = new OpenFileCache(1);
  const files = new FileTree(tree.root, kept);
  tree.write({ a: '1\n', b: '2\n' });
  expect([read(kept, 'a'), read(kept, 'b'), read(kept, 'a')]).toEqual(['1\n', undefined, '1\n']);
  expect([files.cachedText('a'), files.cachedText('b')]).toEqual(['1\n', '2\n']);
  expect([kept.size, openBelow(tree.root)]).toEqual([1, 1]);
});

describe('what is no small regular file is not kept', () => {
  test('a FIFO and a folder', () => {
    const kept = new OpenFileCache(10);
    execFileSync('mkfifo', [tree.path('fifo')]);
    mkdirSync(tree.path('folder'));
    expect([read(kept, 'fifo'), read(kept, 'folder')]).toEqual([undefined, undefined]);
    expect([kept.size, openBelow(tree.root)]).toEqual([0, 0]);
  });

  test('a file that one reading may not give whole', () => {
    const kept = new OpenFileCache(10);
    tree.write({ small: 'x'.repeat(2047), large: 'x'.repeat(2048) });
    expect([read(kept, 'small')?.length, read(kept, 'large')]).toEqual([2047, undefined]);
    expect([kept.size, openBelow(tree.root)]).toEqual([1, 1]);
  });

  test('one that becomes large is given up, and read whole all the same', () => {
    const kept = new OpenFileCache(10);
    const files = new FileTree(tree.root, kept);
    const contents = ['1\n', 'x'.repeat(100_000), '2\n'];
    const readings = contents.map((content) => {
      tree.write({ events: content });
      return [files.cachedText('events'), kept.size];
    });
    expect(readings).toEqual([
      [contents[0], 1],
      [contents[1], 0],
      [contents[2], 1],
    ]);
  });
});

describe('as time goes by', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  test('a copy that was replaced by another file is read anew after half a minute', () => {
    const kept = new OpenFileCache(10);
    tree.write({ events: 'old\n' });
    expect(read(kept, 'events')).toBe('old\n');
    rmSync(tree.path('events'));
    tree.write({ events: 'new\n' });
    vi.advanceTimersByTime(30_000);
    expect(read(kept, 'events')).toBe('old\n');
    vi.advanceTimersByTime(1);
    expect(read(kept, 'events')).toBe('new\n');
    expect([kept.size, openBelow(tree.root)]).toEqual([1, 1]);
  });

  test('files that nobody has read for two minutes are closed', () => {
    const kept = new OpenFileCache(10);
    tree.write({ used: '1\n', unused: '2\n' });
    read(kept, 'unused');
    for (const seconds of [40, 40, 40]) {
      vi.advanceTimersByTime(seconds * 1e3);
      read(kept, 'used');
    }
    expect(kept.size).toBe(2);
    vi.advanceTimersByTime(31_000);
    read(kept, 'used');
    expect([kept.size, openBelow(tree.root)]).toEqual([1, 1]);
  });
});

describe("the kernel's own files", () => {
  test('are made anew for each reading', () => {
    const kept = new OpenFileCache(10);
    const procfs = new FileTree('/proc', kept);
    const [first, second, third] = [0, 1, 2].map(() => {
      // While this process waits for another, the kernel takes it off its CPU, which schedstat counts.
      execFileSync('true');
      return procfs.cachedText('self/schedstat');
    });
    const timesOnCpu = [first, second, third].map((text) => Number(/^\d+ \d+ (\d+)\n$/.exec(text!)?.[1]));
    expect(timesOnCpu[1]).toBeGreaterThan(timesOnCpu[0]!);
    expect(timesOnCpu[2]).toBeGreaterThan(timesOnCpu[1]!);
    expect(kept.size).toBe(1);
  });

  test('of a process that has ended are missing files', async () => {
    const kept = new OpenFileCache(10);
    const procfs = new FileTree('/proc', kept);
    const child = spawn('sleep', ['60']);
    const exit = exitOf(child);
    const file = `${child.pid}/schedstat`;
    try {
      expect(procfs.cachedText(file)).toMatch(/^\d+ \d+ \d+\n$/);
      expect([kept.size, openBelow(`/proc/${child.pid}`)]).toEqual([1, 1]);
    } finally {
      child.kill();
      await exit;
    }
    expect(() => procfs.cachedText(file)).toThrow(
      new FileError(procfs.path(file), 'ENOENT', 'ENOENT: no such file or directory'),
    );
    expect([kept.size, openBelow(`/proc/${child.pid}`)]).toEqual([0, 0]);
  });
});
