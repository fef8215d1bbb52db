import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { addOnFile, type AddOn } from '../../../tools/package/native/add-on.ts';
import { addOnFiles } from '../../../tools/lib/project.ts';
import { TempTree } from '../../../tools/lib/fake-host.ts';

const file = readFileSync(addOnFiles.bcrypt);
const sha256 = createHash('sha256').update(file).digest('hex');

class Folders extends TempTree {
  readonly installed = this.path('installed');
  readonly state = this.path('state/addons');
  readonly unpacked = () => this.state;
  decompressed = 0;

  readonly addOn: AddOn = {
    name: 'bcrypt',
    sha256,
    compressed: () => {
      this.decompressed += 1;
      return brotliCompressSync(file);
    },
  };

  readonly beside = join(this.installed, 'bcrypt.node');
  readonly inState = join(this.state, 'bcrypt.node');

  install(): void {
    mkdirSync(this.installed, { mode: 0o755 });
    writeFileSync(this.beside, file, { mode: 0o644 });
  }

  find(): string {
    return addOnFile(this.addOn, this);
  }
}

test('an add-on beside the binary is used where it is', () => {
  using folders = new Folders();
  folders.install();
  const unpacked = () => expect.unreachable('a user without a home has no state directory');
  expect(addOnFile(folders.addOn, { installed: folders.installed, unpacked })).toBe(folders.beside);
  expect(folders.decompressed).toBe(0);
});

test('a lone binary unpacks it once, for its own user alone', () => {
  using folders = new Folders();
  expect([folders.find(), folders.find()]).toEqual([folders.inState, folders.inState]);
  expect(folders.decompressed).toBe(1);
  expect(readFileSync(folders.inState).equals(file)).toBe(true);
  expect(statSync(folders.state).mode & 0o777).toBe(0o700);
  expect(readdirSync(folders.state)).toEqual(['bcrypt.node']);
});

describe('what is not the file that the binary was built with is left alone', () => {
  test('another file beside the binary', () => {
    using folders = new Folders();
    folders.install();
    writeFileSync(folders.beside, 'of another version');
    expect(folders.find()).toBe(folders.inState);
  });

  test.each(['installed', 'beside'] as const)('%s that strangers can write to', (which) => {
    using folders = new Folders();
    folders.install();
    chmodSync(folders[which], 0o777);
    expect(folders.find()).toBe(folders.inState);
  });

  test('half a file in the state directory is unpacked again', () => {
    using folders = new Folders();
    folders.find();
    chmodSync(folders.inState, 0o600);
    writeFileSync(folders.inState, file.subarray(0, 1000));
    expect(readFileSync(folders.find()).equals(file)).toBe(true);
  });
});

test('a state directory that strangers can write to is refused', () => {
  using folders = new Folders();
  mkdirSync(folders.state, { recursive: true });
  chmodSync(folders.state, 0o777);
  expect(() => folders.find()).toThrow(`${folders.state}: expected a folder that only root or this user can write to`);
  expect(readdirSync(folders.state)).toEqual([]);
});

test('what a killed process left half unpacked is removed, what a living one works on is not', () => {
  using folders = new Folders();
  mkdirSync(folders.state, { recursive: true, mode: 0o700 });
  const [dead, alive] = [2 ** 22 + 1, process.ppid];
  for (const pid of [dead, alive]) writeFileSync(`${folders.inState}.unfinished-${pid}`, '');
  folders.find();
  expect(readdirSync(folders.state).sort()).toEqual(['bcrypt.node', `bcrypt.node.unfinished-${alive}`]);
});
