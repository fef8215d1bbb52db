import { Unavailable, type Availability } from '../host/unavailable.ts';
import { ParseError, type Skip } from '../formats/parse-error.ts';
import { FileError, isUnanswered, unlessMissing, type FileTree } from '../host/file-tree.ts';

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

/** Where items go that cannot be read. */
export interface Skips {
  /** Counts an item that is left out, and keeps the first error. */
  skip(error: Error): void;
}

/** For reading what a scrape of a collector reads too, and counts. */
export const uncounted: Skips = { skip: () => {} };

const isEmpty = (reading: unknown): boolean =>
  reading instanceof Map
    ? reading.size === 0
    : Array.isArray(reading) && reading.every((row: unknown) => row === undefined);

/**
 * Parses a file of rows with `parse`. `skips` counts the rows and values that it leaves out. A file of which nothing can be read is an error, as `parse`
 * has it.
 */
export const readRowsOf = <Reading>(path: string, skips: Skips, parse: (skip: Skip) => Reading): Reading => {
  const errors: ParseError[] = [];
  const reading = parse((error) => errors.push(error));
  const [first] = errors;
  if (first !== undefined && isEmpty(reading)) throw first;
  for (const error of errors) skips.skip(new Error(`${path}: ${error.message}`, { cause: error }));
  return reading;
};

type ParseRows<Reading> = (text: string, skip: Skip) => Reading;

/** As `parsed`, for a file of rows, of which `skips` counts those that cannot be read. */
export const parsedRows = <Reading>(files: FileTree, name: string, parse: ParseRows<Reading>, skips: Skips): Reading =>
  parsed(files, name, (text) => readRowsOf(files.path(name), skips, (skip) => parse(text, skip)));

/** As `parsedCachedIfAny`, for a file of rows. */
export const parsedCachedRowsIfAny = <Reading>(
  files: FileTree,
  name: string,
  parse: ParseRows<Reading>,
  skips: Skips,
): Reading | undefined =>
  parsedCachedIfAny(files, name, (text) => readRowsOf(files.path(name), skips, (skip) => parse(text, skip)));

/** An error of one file: it may not be read, or is not of its format. A deadline that is over and a helper that does not answer are none. */
export const isOfFile = (error: unknown): error is Error =>
  error instanceof ParseError ||
  (error instanceof FileError && !isUnanswered(error)) ||
  (error instanceof Error && error.cause instanceof ParseError);

/** Reads one item (a device, a queue, a process). Undefined if its file is unreadable or broken, which `skips` counts. */
export const readItem = <Reading>(skips: Skips, read: () => Reading): Reading | undefined => {
  try {
    return read();
  } catch (error) {
    if (!isOfFile(error)) throw error;
    skips.skip(error);
    return undefined;
  }
};

/** Says that a network device which sysfs shows is missing in /proc/net/dev. */
export const missingRow = (procfs: FileTree, device: string): Error =>
  new Error(`${procfs.path('net/dev')}: expected a row of ${device}, found none`);

/** True where the file or folder is there, else the reason. */
export const needs = (files: FileTree, name: string): Availability =>
  files.exists(name) || new Unavailable(`${files.path(name)} does not exist`);
