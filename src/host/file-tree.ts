import * as fs from 'node:fs';
import { join } from 'node:path';
import { OpenFileCache } from './open-file-cache.ts';

/**
 * A file or folder that could not be read. `code` is the errno name (`ENOENT`), `EREFUSED` if we refused to read it, or
 * `EHELPER` if no helper answers.
 */
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

/** True if the file or folder does not exist, or disappeared during the read (ESRCH: with its process). */
export const isMissing = (error: unknown): boolean =>
  error instanceof FileError && ['ENOENT', 'ENODEV', 'ENOTDIR', 'ESRCH'].includes(error.code);

/** True if access is denied (no privilege, or kernel lockdown). */
export const isForbidden = (error: unknown): boolean =>
  error instanceof FileError && ['EACCES', 'EPERM'].includes(error.code);

/** True if the helper that should read this file does not answer. */
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

// One buffer serves all reads of the process: they are synchronous, so only one runs at a time.
let shared = Buffer.allocUnsafeSlow(64 << 10);

const grow = (): void => {
  const larger = Buffer.allocUnsafeSlow(shared.length * 2);
  shared.copy(larger);
  shared = larger;
};

/**
 * Files below one folder (`/proc`, `/sys`, or a copy of them), read synchronously: asynchronous reads of kernel files
 * cost four to eight times more, and four hung ones block libuv's pool. Anything but a regular file is refused without
 * waiting.
 */
export class FileTree {
  readonly root: string;
  /** Cache of open files. */
  readonly openFiles: OpenFileCache;
  /** Runs before each access with the file's path. */
  readonly beforeEach: (path: string) => void;

  /**
   * Several trees may share `openFiles`. `beforeEach` runs before each access with the file's path; if it throws, the
   * access fails (deadlines).
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

  /** Whole content, as a view of a shared buffer: use it before the next read. Throws FileError. */
  bytes(name: string, maxBytes = defaultMaxBytes): Uint8Array {
    return this.read(name, maxBytes, () => false);
  }

  /** Whole content as UTF-8 (invalid bytes become U+FFFD). Throws FileError. */
  text(name: string, maxBytes = defaultMaxBytes): string {
    return this.read(name, maxBytes, () => false).toString('utf8');
  }

  /**
   * Like `text`, for small per-queue files that every scrape reads. They stay open, which saves most of the cost.
   * Throws FileError.
   */
  cachedText(name: string): string {
    const path = `${this.root}/${name}`;
    this.beforeEach(path);
    const length = this.openFiles.read(path, shared);
    return length === undefined ? this.text(name) : shared.toString('utf8', 0, length);
  }

  /** Like `text`, but reads chunks of `chunkBytes` until `enough` holds for the text so far. Throws FileError. */
  textUntil(name: string, enough: (text: string) => boolean, chunkBytes = 4096): string {
    return this.read(name, defaultMaxBytes, (bytes) => enough(bytes.toString('latin1')), chunkBytes).toString('utf8');
  }

  /** Like `bytes`, but reads chunks until `enough` holds for the bytes so far. Throws FileError. */
  bytesUntil(name: string, enough: (bytes: Uint8Array) => boolean, maxBytes = defaultMaxBytes): Uint8Array {
    return this.read(name, maxBytes, enough, 64 << 10);
  }

  /** Common part of all reads. */
  protected read(name: string, maxBytes: number, enough: (bytes: Buffer) => boolean, chunkBytes = Infinity): Buffer {
    const path = this.path(name);
    this.beforeEach(path);
    let descriptor: number | undefined;
    try {
      // O_NONBLOCK: opening a FIFO must not wait for a writer.
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

  /** Names in a folder, in natural order of their numbers. Throws FileError. */
  list(name: string): string[] {
    return this.unsorted(name).sort(naturalOrder.compare);
  }

  /** Names in a folder, unsorted: /proc has too many to sort. Throws FileError. */
  unsorted(name: string): string[] {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs.readdirSync(path);
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Like `list`, or empty if the folder does not exist. Throws FileError for any other failure. */
  listIfAny(name: string): string[] {
    return unlessMissing(() => this.list(name)) ?? [];
  }

  /** Like `text`, or undefined if the file does not exist. Throws FileError for any other failure. */
  textIfAny(name: string): string | undefined {
    return unlessMissing(() => this.text(name));
  }

  /** Subfolders, at most `most`, with their inode numbers. Throws FileError. */
  folders(name: string, most = Infinity): { name: string; inode: number }[] {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs
        .readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .slice(0, most)
        .flatMap(({ name }) => {
          // Undefined if it disappeared meanwhile.
          const stats = fs.statSync(join(path, name), { throwIfNoEntry: false });
          return stats ? { name, inode: stats.ino } : [];
        });
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Inode number of a file or folder, after following links. Throws FileError. */
  inode(name: string): number {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs.statSync(path).ino;
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Target of a symbolic link as written; undefined if there is no link. Throws FileError. */
  linkIfAny(name: string): string | undefined {
    const path = this.path(name);
    this.beforeEach(path);
    try {
      return fs.readlinkSync(path);
    } catch (error) {
      const failure = fileError(path, error);
      // EINVAL: not a link.
      if (isMissing(failure) || failure.code === 'EINVAL') return undefined;
      throw failure;
    }
  }

  /** True if the file or folder exists. */
  exists(name: string): boolean {
    const path = this.path(name);
    this.beforeEach(path);
    return fs.existsSync(path);
  }
}

const naturalOrder = new Intl.Collator('en', { numeric: true });
