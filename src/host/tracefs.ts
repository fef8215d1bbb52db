import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, open, readFile, rmdir } from 'node:fs/promises';
import { fileError, FileTree } from './file-tree.ts';
import { EAGAIN, loadLibc } from './libc.ts';

/**
 * The kernel's tracefs, the only place that the product writes to. A write waits for all CPUs of the kernel, for
 * milliseconds, so none is synchronous. All reject with FileError.
 */
export interface Tracefs {
  /** Files for synchronous reads. */
  readonly files: FileTree;
  /**
   * Takes the lock that every exporter of this kernel takes before it writes here, in any container. The kernel
   * releases it when this process ends for any reason. Undefined if another process holds it.
   */
  lock(): Promise<Disposable | undefined>;
  /** Whole content of a file that the kernel may take long to print. */
  read(name: string): Promise<string>;
  /** Adds a command to those in the file. */
  append(name: string, command: string): Promise<void>;
  /** Sets a file with one value. */
  set(name: string, value: string): Promise<void>;
  /** Removes all hist triggers from an event of an instance: `instances/NAME/events/SYSTEM/EVENT`. */
  clearHists(event: string): Promise<void>;
  makeInstance(name: string): Promise<void>;
  /** Fails while the instance has hist triggers. */
  removeInstance(name: string): Promise<void>;
}

const LOCK_EX = 2;
const LOCK_NB = 4;

const loadCalls = async () => {
  const { func, errno, errorName } = await loadLibc();
  return { flock: func('int flock(int, int)'), errno, errorName };
};
let calls: ReturnType<typeof loadCalls> | undefined;

/** flock(2) on a folder locks its inode, which all mounts of tracefs share. */
const lockFolder = async (path: string): Promise<Disposable | undefined> => {
  const { flock, errno, errorName } = await (calls ??= loadCalls());
  // Node opens it with O_CLOEXEC, so child processes do not keep the lock.
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  if (flock(folder, LOCK_EX | LOCK_NB) === 0) return { [Symbol.dispose]: () => closeSync(folder) };
  const error = errno();
  closeSync(folder);
  if (error === EAGAIN) return undefined;
  throw Object.assign(new Error(`flock ${path}: ${errorName(error)}`), { code: errorName(error) });
};

/** The tracefs mounted at this path. */
export const localTracefs = (root: string): Tracefs => {
  const files = new FileTree(root);
  const attempt = async <Result>(name: string, access: (path: string) => Promise<Result>): Promise<Result> => {
    const path = files.path(name);
    try {
      return await access(path);
    } catch (error) {
      throw fileError(path, error);
    }
  };
  // Without O_CREAT, which turns a missing file into a forbidden one.
  const write = (name: string, flags: number, text: string): Promise<void> =>
    attempt(name, async (path) => {
      await using file = await open(path, constants.O_WRONLY | flags);
      if (text !== '') await file.write(text);
    });
  return {
    files,
    lock: () => attempt('', lockFolder),
    read: (name) => attempt(name, (path) => readFile(path, 'utf8')),
    append: (name, command) => write(name, constants.O_APPEND, `${command}\n`),
    set: (name, value) => write(name, 0, `${value}\n`),
    clearHists: (event) => {
      // For kprobe_events and synthetic_events O_TRUNC means: remove all entries, including those of other programs.
      if (!/^instances\/[^/]+\/events\/[^/]+\/[^/]+$/.test(event))
        throw new Error(`${event}: expected an event of an instance`);
      return write(`${event}/trigger`, constants.O_TRUNC, '');
    },
    makeInstance: (name) => attempt(`instances/${name}`, (path) => mkdir(path)),
    removeInstance: (name) => attempt(`instances/${name}`, (path) => rmdir(path)),
  };
};
