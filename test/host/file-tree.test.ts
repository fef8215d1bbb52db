import { execFileSync } from 'node:child_process';
import { mkdirSync, openSync, rmSync, symlinkSync, closeSync, ftruncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileTree } from '../../src/host/file-tree.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

let tree: TempTree;
let files: FileTree;
beforeEach(() => {
  tree = new TempTree();
  files = new FileTree(tree.root);
});
afterEach(() => tree[Symbol.dispose]());

describe('what is not a regular file is refused at once', () => {
  test('a FIFO that nobody writes to', () => {
    execFileSync('mkfifo', [tree.path('stat')]);
    expect(() => files.text('stat')).toThrow(`${tree.path('stat')}: expected a regular file, found a FIFO`);
  });

  test('a device', () => {
    symlinkSync('/dev/zero', tree.path('stat'));
    expect(() => files.text('stat')).toThrow(`${tree.path('stat')}: expected a regular file, found a device`);
  });

  test('a directory', () => {
    mkdirSync(tree.path('stat'));
    expect(() => files.text('stat')).toThrow(`${tree.path('stat')}: expected a regular file, found a directory`);
  });

  test('a socket', async () => {
    const server = createServer().listen(tree.path('stat'));
    await once(server, 'listening');
    expect(() => files.text('stat')).toThrow(`${tree.path('stat')}: ENXIO`);
    server.close();
  });
});

test('a file over the limit is refused after the limit, however large it is', () => {
  const descriptor = openSync(tree.path('stat'), 'w');
  ftruncateSync(descriptor, 50 << 20);
  closeSync(descriptor);
  expect(() => files.text('stat')).toThrow(`${tree.path('stat')}: expected at most 4194304 bytes, found more`);
});

test('a file larger than the buffer is read whole', () => {
  const content = 'x'.repeat(300_000);
  tree.write({ big: content });
  expect(files.text('big')).toBe(content);
});

test('a missing file says which', () => {
  expect(() => files.text('net/tcp')).toThrow(`${tree.path('net/tcp')}: ENOENT: no such file or directory`);
  expect(files.textIfAny('net/tcp')).toBeUndefined();
  expect(files.listIfAny('net')).toEqual([]);
});

test('a file that vanishes between listing and reading is a missing file', () => {
  tree.write({ 'devices/vif-0': '1' });
  const [name] = files.list('devices');
  rmSync(tree.path('devices/vif-0'));
  expect(files.textIfAny(`devices/${name}`)).toBeUndefined();
});

test('textUntil stops reading when it has enough', () => {
  tree.write({ 'net/tcp': 'a'.repeat(5000) + 'b' + 'c'.repeat(100_000) });
  expect(files.textUntil('net/tcp', (text) => text.includes('b')).length).toBe(8192);
});

test('invalid UTF-8 is replaced, not refused', () => {
  tree.write({ name: Buffer.from([0x61, 0xff, 0x62]) });
  expect(files.text('name')).toBe('a\ufffdb');
});

test('list sorts numbers as numbers', () => {
  tree.write({ 'd/vif-10': '', 'd/vif-2': '' });
  expect(files.list('d')).toEqual(['vif-2', 'vif-10']);
});

test('beforeEach is told of every access and can refuse it', () => {
  tree.write({ stat: '1' });
  const refusing = files.with((path) => {
    throw new Error(`no more time for ${path}`);
  });
  for (const access of ['text', 'list', 'exists', 'folders'] as const) {
    expect(() => refusing[access]('stat')).toThrow(`no more time for ${tree.path('stat')}`);
  }
});

test('the live /proc can be read', () => {
  expect(new FileTree('/proc').text('stat')).toMatch(/^cpu /);
});
