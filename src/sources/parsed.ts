import { Unavailable, type Availability } from '../host/unavailable.ts';
import { unlessMissing, type FileTree } from '../host/file-tree.ts';

type Parsed = <Reading>(files: FileTree, name: string, parse: (text: string) => Reading) => Reading;
type ParsedIfAny = <Reading>(files: FileTree, name: string, parse: (text: string) => Reading) => Reading | undefined;

const parsedAs =
  (read: (files: FileTree, name: string) => string): Parsed =>
  (files, name, parse) => {
    const text = read(files, name);
    return naming(files.path(name), () => parse(text));
  };

/** The reading in a text file; an error of the parser names the file. */
export const parsed = parsedAs((files, name) => files.text(name));

/** The reading in a text file, or undefined where there is no such file; an error of the parser names the file. */
export const parsedIfAny: ParsedIfAny = (files, name, parse) => unlessMissing(() => parsed(files, name, parse));

const parsedCached = parsedAs((files, name) => files.cachedText(name));

/** As `parsedIfAny`, for a small file that each scrape reads anew of each device (FileTree.cachedText). */
export const parsedCachedIfAny: ParsedIfAny = (files, name, parse) =>
  unlessMissing(() => parsedCached(files, name, parse));

/** Runs `read`; an error that it throws names `path`. */
export const naming = <Reading>(path: string, read: () => Reading): Reading => {
  try {
    return read();
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
};

/** True where the file or folder is there, else the reason. */
export const needs = (files: FileTree, name: string): Availability =>
  files.exists(name) || new Unavailable(`${files.path(name)} does not exist`);
