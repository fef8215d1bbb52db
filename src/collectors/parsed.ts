import { unlessMissing, type FileTree } from '../host/file-tree.ts';

/** The reading in a text file; an error of the parser names the file. */
export const parsed = <Reading>(files: FileTree, name: string, parse: (text: string) => Reading): Reading => {
  const text = files.text(name);
  return naming(files.path(name), () => parse(text));
};

/** The reading in a text file, or undefined where there is no such file; an error of the parser names the file. */
export const parsedIfAny = <Reading>(
  files: FileTree,
  name: string,
  parse: (text: string) => Reading,
): Reading | undefined => unlessMissing(() => parsed(files, name, parse));

/** As `parsed`, for a small file that each scrape reads anew of each device (FileTree.hotText). */
export const parsedHot = <Reading>(files: FileTree, name: string, parse: (text: string) => Reading): Reading => {
  const text = files.hotText(name);
  return naming(files.path(name), () => parse(text));
};

/** As `parsedHot`, or undefined where there is no such file. */
export const parsedHotIfAny = <Reading>(
  files: FileTree,
  name: string,
  parse: (text: string) => Reading,
): Reading | undefined => unlessMissing(() => parsedHot(files, name, parse));

/** Runs `read`; an error that it throws names `path`. */
export const naming = <Reading>(path: string, read: () => Reading): Reading => {
  try {
    return read();
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
};

/** For `applies`: true where the file or folder is there, else the reason. */
export const needs = (files: FileTree, name: string): true | string =>
  files.exists(name) || `${files.path(name)} does not exist`;
