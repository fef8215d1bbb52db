import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelHz } from '../../src/sources/kernel-hz.ts';
import { FileError, FileTree } from '../../src/host/file-tree.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

const head = readText('linux-6.18/proc-timer_list-head');
const why = (what: string): string => `event delays: the kernel counts them in jiffies of unknown length (${what})`;
const notMeasuredYet = why('not measured yet, which takes two scrapes');

let tree: TempTree;
let procfs: FileTree;
let hz: KernelHz;
beforeEach(() => {
  tree = new TempTree();
  procfs = new FileTree(tree.root);
  hz = new KernelHz();
});
afterEach(() => tree[Symbol.dispose]());

/** Reads the list as it would be `seconds` and `jiffies` after the captured one. */
const updateAfter = (seconds: number, jiffies: number): void => {
  const later = head
    .replace(/^now at (\d+)/m, (_, now: string) => `now at ${BigInt(now) + BigInt(seconds * 1e9)}`)
    .replace(/^jiffies: (\d+)/m, (_, now: string) => `jiffies: ${Number(now) + jiffies}`);
  tree.write({ timer_list: later });
  hz.update(procfs);
};

describe('two readings tell', () => {
  test.each([100, 250, 300, 1000])('HZ %i, though they are not quite of one moment', (rate) => {
    updateAfter(0, 0);
    expect([hz.value, hz.missing]).toEqual([undefined, notMeasuredYet]);
    updateAfter(1, Math.round(rate * 1.04));
    expect(hz.value).toBe(rate);
  });

  test('not where less than a second is between them: then the next does', () => {
    updateAfter(0, 0);
    updateAfter(0.9, 225);
    expect([hz.value, hz.missing]).toEqual([undefined, notMeasuredYet]);
    updateAfter(1.8, 450);
    expect(hz.value).toBe(250);
  });

  test('and then the file is not read again', () => {
    updateAfter(0, 0);
    updateAfter(1, 250);
    updateAfter(2, 1250);
    tree.write({ timer_list: 'broken' });
    hz.update(procfs);
    expect(hz.value).toBe(250);
  });
});

test('a rate that Linux cannot have is refused, and measured again from there', () => {
  updateAfter(0, 0);
  updateAfter(2, 550);
  expect([hz.value, hz.missing]).toEqual([
    undefined,
    why('jiffies grew by 275.0 a second, which is not a Linux tick rate'),
  ]);
  updateAfter(4, 1050);
  expect(hz.value).toBe(250);
});

describe('a file that cannot be had is no failure, but it says why', () => {
  test('one that is missing', () => {
    hz.update(procfs);
    expect([hz.value, hz.missing]).toEqual([
      undefined,
      why(`${tree.path('timer_list')}: ENOENT: no such file or directory`),
    ]);
  });

  test.each(['EACCES: permission denied', 'EPERM: operation not permitted'])('one that is forbidden: %s', (detail) => {
    const forbidden = procfs.with((path) => {
      throw new FileError(path, detail.split(':')[0]!, detail);
    });
    hz.update(forbidden);
    expect([hz.value, hz.missing]).toEqual([undefined, why(`${tree.path('timer_list')}: ${detail}`)]);
    updateAfter(0, 0);
    updateAfter(1, 250);
    expect(hz.value).toBe(250);
  });
});

test('any other error is one, and names the file', () => {
  const failing = procfs.with((path) => {
    throw new FileError(path, 'EIO', 'EIO: i/o error');
  });
  expect(() => hz.update(failing)).toThrow(new FileError(tree.path('timer_list'), 'EIO', 'EIO: i/o error'));
  tree.write({ timer_list: head.slice(0, head.indexOf('jiffies:')) });
  expect(() => hz.update(procfs)).toThrow(`${tree.path('timer_list')}: expected a line "jiffies: ...", found `);
});
