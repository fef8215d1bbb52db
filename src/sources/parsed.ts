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

/** Parses a text file. Parser errors name the file. */
export const parsed = parsedAs((files, name) => files.text(name));

/** Parses a text file, or returns undefined if it does not exist. Parser errors name the file. */
export const parsedIfAny: ParsedIfAny = (files, name, parse) => unlessMissing(() => parsed(files, name, parse));

const parsedCached = parsedAs((files, name) => files.cachedText(name));

/** Like `parsedIfAny`, for a small per-device file that every scrape reads (FileTree.cachedText). */
export const parsedCachedIfAny: ParsedIfAny = (files, name, parse) =>
  unlessMissing(() => parsedCached(files, name, parse));

/** Runs `read`. Its errors name `path`. */
export const naming = <Reading>(path: string, read: () => Reading): Reading => {
  try {
    return read();
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
};

/** Receives items that cannot be read. */
export interface Skips {
  /** Counts a skipped item and keeps the first error. */
  skip(error: Error): void;
}

/** For items that another part of the same scrape already counts. */
export const uncounted: Skips = { skip: () => {} };

const isEmpty = (reading: unknown): boolean =>
  reading instanceof Map
    ? reading.size === 0
    : Array.isArray(reading) && reading.every((row: unknown) => row === undefined);

/** Parses a file of rows. `skips` counts skipped rows and values. If nothing can be parsed, `parse` throws. */
export const readRowsOf = <Reading>(path: string, skips: Skips, parse: (skip: Skip) => Reading): Reading => {
  const errors: ParseError[] = [];
  const reading = parse((error) => errors.push(error));
  const [first] = errors;
  if (first !== undefined && isEmpty(reading)) throw first;
  for (const error of errors) skips.skip(new Error(`${path}: ${error.message}`, { cause: error }));
  return reading;
};

type ParseRows<Reading> = (text: string, skip: Skip) => Reading;

/** Like `parsed`, for a file of rows. `skips` counts those that cannot be parsed. */
export const parsedRows = <Reading>(files: FileTree, name: string, parse: ParseRows<Reading>, skips: Skips): Reading =>
  parsed(files, name, (text) => readRowsOf(files.path(name), skips, (skip) => parse(text, skip)));

/** Like `parsedCachedIfAny`, for a file of rows. */
export const parsedCachedRowsIfAny = <Reading>(
  files: FileTree,
  name: string,
  parse: ParseRows<Reading>,
  skips: Skips,
): Reading | undefined =>
  parsedCachedIfAny(files, name, (text) => readRowsOf(files.path(name), skips, (skip) => parse(text, skip)));

/** Whether an error concerns one file: unreadable or malformed. Deadlines and unresponsive helpers do not. */
export const isOfFile = (error: unknown): error is Error =>
  error instanceof ParseError ||
  (error instanceof FileError && !isUnanswered(error)) ||
  (error instanceof Error && error.cause instanceof ParseError);

/** Reads one item (device, queue, process). Undefined if its file is unreadable or malformed, which `skips` counts. */
export const readItem = <Reading>(skips: Skips, read: () => Reading): Reading | undefined => {
  try {
    return read();
  } catch (error) {
    if (!isOfFile(error)) throw error;
    skips.skip(error);
    return undefined;
  }
};

/** Error: sysfs shows a network device that /proc/net/dev lacks. */
export const missingRow = (procfs: FileTree, device: string): Error =>
  new Error(`${procfs.path('net/dev')}: expected a row of ${device}, found none`);

/** True if the file or folder exists, else the reason. */
export const needs = (files: FileTree, name: string): Availability =>
  files.exists(name) || new Unavailable(`${files.path(name)} does not exist`);
