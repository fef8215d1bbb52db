import * as fs from 'node:fs';

// A read of a kernel file ends at its end, or at a 4 KiB page less what did not fit (fs/seq_file.c, fs/sysfs/file.c). A
// shorter result is the whole file.
const certainlyWhole = 2048;
const unusedSeconds = 120;
const secondsBetweenSweeps = 30;

interface KeptFile {
  readonly descriptor: number;
  usedAt: number;
}

/**
 * Keeps small files open and rereads them from the start: the kernel generates their content for each read. Opening and
 * closing costs three times as much as reading. Files that are no longer read are closed.
 */
export class OpenFileCache {
  readonly #files = new Map<string, KeptFile>();
  readonly #most: number;
  #sweptAt = 0;

  /** `most` is the maximum number of open files. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Number of open files. */
  get size(): number {
    return this.#files.size;
  }

  /**
   * Reads a file into `buffer` and returns its length. Undefined if the cache cannot serve it: it is missing, not a
   * small regular file, or too many files are open.
   */
  read(path: string, buffer: Buffer): number | undefined {
    const now = performance.now() / 1e3;
    if (now - this.#sweptAt > secondsBetweenSweeps) this.#sweep(now);
    const open = this.#files.get(path);
    const length = open && this.#readOpen(path, open, buffer);
    if (length === undefined) return this.#readNew(path, buffer, now);
    open!.usedAt = now;
    return length;
  }

  #readOpen(path: string, { descriptor }: KeptFile, buffer: Buffer): number | undefined {
    try {
      const length = fs.readSync(descriptor, buffer, 0, buffer.length, 0);
      if (length < certainlyWhole) return length;
    } catch {
      // ENODEV, ESRCH, EIO: its device or thread is gone and may have been replaced.
    }
    this.#close(path, descriptor);
    return undefined;
  }

  #readNew(path: string, buffer: Buffer, now: number): number | undefined {
    if (this.#files.size >= this.#most) return undefined;
    let descriptor: number | undefined;
    try {
      descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      if (fs.fstatSync(descriptor).isFile()) {
        const length = fs.readSync(descriptor, buffer, 0, buffer.length, 0);
        if (length < certainlyWhole) {
          this.#files.set(path, { descriptor, usedAt: now });
          return length;
        }
      }
    } catch {
      // An uncached read will report the error.
    }
    if (descriptor !== undefined) fs.closeSync(descriptor);
    return undefined;
  }

  #close(path: string, descriptor: number): void {
    this.#files.delete(path);
    fs.closeSync(descriptor);
  }

  /** Also closes replaced files: a removed kernel file cannot be read, but a removed copy can. */
  #sweep(now: number): void {
    this.#sweptAt = now;
    for (const [path, { descriptor, usedAt }] of this.#files) {
      if (now - usedAt > unusedSeconds || fs.fstatSync(descriptor).nlink === 0) this.#close(path, descriptor);
    }
  }
}
