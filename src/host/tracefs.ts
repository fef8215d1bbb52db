import { constants } from 'node:fs';
import { mkdir, open, readFile, rmdir } from 'node:fs/promises';
import { fileError, FileTree } from './file-tree.ts';

/**
 * The kernel's tracefs, the only place that the product writes to. What is written waits for all CPUs of the kernel, for milliseconds: none of it
 * is synchronous. All reject with FileError.
 */
export interface Tracefs {
  /** What there is, to look at at once. */
  readonly files: FileTree;
  /** The whole content of a file, which the kernel may take long to print. */
  read(name: string): Promise<string>;
  /** Gives the kernel one command more, beside those that the file holds. */
  append(name: string, command: string): Promise<void>;
  /** Sets a file of one value. */
  set(name: string, value: string): Promise<void>;
  /** Takes all hist triggers away from an event of an instance: `instances/NAME/events/SYSTEM/EVENT`. */
  clearHists(event: string): Promise<void>;
  makeInstance(name: string): Promise<void>;
  /** Only one without hist triggers can go. */
  removeInstance(name: string): Promise<void>;
}

/** The tracefs that is mounted at this path. */
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
  // Never with O_CREAT, which makes a file that is missing a forbidden one.
  const write = (name: string, flags: number, text: string): Promise<void> =>
    attempt(name, async (path) => {
      await using file = await open(path, constants.O_WRONLY | flags);
      if (text !== '') await file.write(text);
    });
  return {
    files,
    read: (name) => attempt(name, (path) => readFile(path, 'utf8')),
    append: (name, command) => write(name, constants.O_APPEND, `${command}\n`),
    set: (name, value) => write(name, 0, `${value}\n`),
    clearHists: (event) => {
      // kprobe_events and synthetic_events take O_TRUNC for "away with those of everybody".
      if (!/^instances\/[^/]+\/events\/[^/]+\/[^/]+$/.test(event)) throw new Error(`${event}: no event of an instance`);
      return write(`${event}/trigger`, constants.O_TRUNC, '');
    },
    makeInstance: (name) => attempt(`instances/${name}`, (path) => mkdir(path)),
    removeInstance: (name) => attempt(`instances/${name}`, (path) => rmdir(path)),
  };
};
