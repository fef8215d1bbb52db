import * as fs from 'node:fs';

// One read of a kernel file ends at its end or at a page of 4 KiB, less what did not fit (fs/seq_file.c, fs/sysfs/file.c):
// a shorter piece is the whole.
const certainlyWhole = 2048;
const unusedSeconds = 120;
const secondsBetweenSweeps = 30;

interface KeptFile {
  readonly descriptor: number;
  usedAt: number;
}

/**
 * Small files that are kept open and read from their beginning again: the kernel makes their content anew each time. To open and close one
 * costs three times as much as to read it. Those that nobody reads any longer are closed.
 */
export class OpenFileCache {
  readonly #files = new Map<string, KeptFile>();
  readonly #most: number;
  #sweptAt = 0;

  /** `most`: how many to keep open at most. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many are open. */
  get size(): number {
    return this.#files.size;
  }

  /**
   * Reads a file into `buffer`; returns its length, or undefined where it is not to be read in this way: it is not there, no small regular file, or
   * too many are open.
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
      // ENODEV, ESRCH, EIO: its device or thread is gone, and perhaps there is a new one.
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
      // Whoever reads it in the ordinary way is told why it cannot be read.
    }
    if (descriptor !== undefined) fs.closeSync(descriptor);
    return undefined;
  }

  #close(path: string, descriptor: number): void {
    this.#files.delete(path);
    fs.closeSync(descriptor);
  }

  /** Also closes what was replaced: a file of the kernel's own, once gone, cannot be read, but a copy of one can. */
  #sweep(now: number): void {
    this.#sweptAt = now;
    for (const [path, { descriptor, usedAt }] of this.#files) {
      if (now - usedAt > unusedSeconds || fs.fstatSync(descriptor).nlink === 0) this.#close(path, descriptor);
    }
  }
}
