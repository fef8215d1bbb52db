import * as fs from 'node:fs';
import { join } from 'node:path';
import { OpenFileCache } from './open-file-cache.ts';

/** A file or folder that could not be read. `code` is errno's name (`ENOENT`); `EREFUSED` where we refused to read on, `EHELPER` where no helper answers. */
export class FileError extends Error {
  readonly path: string;
  readonly code: string;

  constructor(path: string, code: string, detail: string) {
    super(`${path}: ${detail}`);
    this.name = 'FileError';
    this.path = path;
    this.code = code;
  }
}

/** True for an error that says: this file or folder does not exist, or went away while we looked (ESRCH: with its process). */
export const isMissing = (error: unknown): boolean =>
  error instanceof FileError && ['ENOENT', 'ENODEV', 'ENOTDIR', 'ESRCH'].includes(error.code);

/** True for an error that says: there is such a file, but not for us (no privilege, or kernel lockdown). */
export const isForbidden = (error: unknown): boolean =>
  error instanceof FileError && ['EACCES', 'EPERM'].includes(error.code);

/** True for an error that says: the helper, which is to read this file, does not answer. */
export const isUnanswered = (error: unknown): boolean => error instanceof FileError && error.code === 'EHELPER';

/** Returns the result of `read`, or undefined if the file does not exist. Other errors pass through. */
export const unlessMissing = <Reading>(read: () => Reading): Reading | undefined => {
  try {
    return read();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

/** Converts Node's error about a file to a FileError. */
export const fileError = (path: string, error: unknown): FileError => {
  const { code = 'EIO', message } = error as NodeJS.ErrnoException;
  return new FileError(path, code, message.replace(/, \w+( '.*')?$/, ''));
};

const kindOf = (stats: fs.Stats): string => {
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isDirectory()) return 'a directory';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
};

const defaultMaxBytes = 4 << 20;

// One buffer serves every read of the process: reads are synchronous, so only one is ever under way.
let shared = Buffer.allocUnsafeSlow(64 << 10);

const grow = (): void => {
  const larger = Buffer.allocUnsafeSlow(shared.length * 2);
  shared.copy(larger);
  shared = larger;
};

/**
 * Files below one folder (`/proc`, `/sys`, or a copy of them), read synchronously: asynchronous reads of kernel files cost four to eight
 * times more, and four hung ones stop libuv's pool. Whatever is not a regular file is refused without waiting for it.
 */
export class FileTree {
  readonly root: string;
  /** The files that stay open. */
  readonly openFiles: OpenFileCache;
  /** Runs before each access with the file's path. */
  readonly beforeEach: (path: string) => void;

  /**
   * `openFiles`: the files that stay open, which several trees may share. `beforeEach` runs before each access with the file's path; what it throws
   * ends the access (deadlines).
   */
  constructor(root: string, openFiles = new OpenFileCache(0), beforeEach: (path: string) => void = () => {}) {
    this.root = root;
    this.beforeEach = beforeEach;
    this.openFiles = openFiles;
  }

  /** The same folder with another `beforeEach`. */
  with(beforeEach: (path: string) => void): FileTree {
    return new FileTree(this.root, this.openFiles, beforeEach);
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** The whole content. The bytes are a view of a shared buffer: use them before the next read. Throws FileError. */
  bytes(name: string, maxBytes = defaultMaxBytes): Uint8Array {
    return this.read(name, maxBytes, () => false);
  }

  /** The whole content as UTF-8 (invalid bytes become U+FFFD). Throws FileError. */
  text(name: string, maxBytes = defaultMaxBytes): string {
    return this.read(name, maxBytes, () => false).toString('utf8');
  }

  /**
   * As `text`, for the small files that each scrape reads anew, of each queue of each guest: they stay open, which saves most of what a reading
   * costs. Throws FileError.
   */
  cachedText(name: string): string {
    const path = `${this.root}/${name}`;
    this.beforeEach(path);
    const length = this.openFiles.read(path, shared);
    return length === undefined ? this.text(name) : shared.toString('utf8', 0, length);
  }

  /** As `text`, but reads in chunks of `chunkBytes` and stops as soon as `enough` holds of what was read so far. Throws FileError. */
  textUntil(name: string, enough: (text: string) => boolean, chunkBytes = 4096): string {
    return this.read(name, defaultMaxBytes, (bytes) => enough(bytes.toString('latin1')), chunkBytes).toString('utf8');
  }

  /** As `bytes`, but reads in chunks and stops as soon as `enough` holds of what was read so far. Throws FileError. */
  bytesUntil(name: string, enough: (bytes: Uint8Array) => boolean, maxBytes = defaultMaxBytes): Uint8Array {
    return this.read(name, maxBytes, enough, 64 << 10);
  }

  /** The common part of all readings. */
  protected read(name: string, maxBytes: number, enough: (bytes: Buffer) => boolean, chunkBytes = Infinity): Buffer {
    const path = this.path(name);
    this.beforeEach(path);
    let descriptor: number | undefined;
    try {
      // O_NONBLOCK: opening a FIFO must not wait for its writer.
      descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      const stats = fs.fstatSync(descriptor);
      if (!stats.isFile()) throw new FileError(path, 'EREFUSED', `expected a regular file, found ${kindOf(stats)}`);
      let length = 0;
      for (;;) {
        if (length === shared.length) grow();
        const read = fs.readSync(descriptor, shared, length, Math.min(chunkBytes, shared.length - length), null);
        length += read;
        if (length > maxBytes) {
          throw new FileError(path, 'EREFUSED', `expected at most ${maxBytes} bytes, found more`);
        }
        if (read === 0 || enough(shared.subarray(0, length))) return shared.subarray(0, length);
      }
    } catch (error) {
      throw error instanceof FileError ? error : fileError(path, error);
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }

  /** The names in a folder, sorted so that numbers in them count as numbers. Throws FileError. */
  list(name: string): string[] {
    return this.unsorted(name).sort(naturalOrder.compare);
  }

  /** The names in a folder in no order: of /proc there are too many to sort. Throws FileError. */
  unsorted(name: string): string[] {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs.readdirSync(path);
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** The names in a folder as `list` gives them, or none where there is no such folder. Throws FileError for any other failure. */
  listIfAny(name: string): string[] {
    return unlessMissing(() => this.list(name)) ?? [];
  }

  /** The content as `text` gives it, or undefined where there is no such file. Throws FileError for any other failure. */
  textIfAny(name: string): string | undefined {
    return unlessMissing(() => this.text(name));
  }

  /** The folders directly in a folder, `most` at most, with their inode numbers. Throws FileError. */
  folders(name: string, most = Infinity): { name: string; inode: number }[] {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs
        .readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .slice(0, most)
        .flatMap(({ name }) => {
          // Undefined for one that went away meanwhile.
          const stats = fs.statSync(join(path, name), { throwIfNoEntry: false });
          return stats ? { name, inode: stats.ino } : [];
        });
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** The inode number of a file or folder, behind links. Throws FileError. */
  inode(name: string): number {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs.statSync(path).ino;
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Where a symbolic link points, as it is written; undefined where there is none. Throws FileError. */
  linkIfAny(name: string): string | undefined {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs.readlinkSync(path);
    } catch (error) {
      const failure = fileError(path, error);
      // EINVAL: it is a file or folder.
      if (isMissing(failure) || failure.code === 'EINVAL') return undefined;
      throw failure;
    }
  }

  /** True where the file or folder exists. */
  exists(name: string): boolean {
    const path = this.path(name);
    this.beforeEach(path);
    return fs.existsSync(path);
  }
}

const naturalOrder = new Intl.Collator('en', { numeric: true });
