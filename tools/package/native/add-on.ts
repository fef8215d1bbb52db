// Only in the binary: locates native add-ons, which are not npm packages there.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/** An add-on inside the binary. */
export interface AddOn {
  readonly name: string;
  /** Checksum of the uncompressed file. */
  readonly sha256: string;
  /** The file in brotli. */
  readonly compressed: () => Uint8Array;
}

export interface AddOnFolders {
  /** Folder next to the binary, where packages, tarball and image put it. */
  readonly installed: string;
  /**
   * Folder into which the standalone binary unpacks it. Throws if the user has neither a state directory nor a home.
   */
  readonly unpacked: () => string;
}

const stateFolder = (): string => {
  const { STATE_DIRECTORY, XDG_STATE_HOME } = process.env;
  if (STATE_DIRECTORY) return STATE_DIRECTORY.split(':')[0]!;
  if (process.geteuid!() === 0) return '/var/lib/xen-exporter';
  return join(XDG_STATE_HOME || join(homedir(), '.local/state'), 'xen-exporter');
};

// If the bundled loader starts the binary, this is the loader's path; both are in the same folder.
const foldersOfThisProcess = (): AddOnFolders => ({
  installed: join(dirname(process.execPath), 'addons'),
  unpacked: () => join(stateFolder(), 'addons'),
});

/** Whether only root or this user can have created it. */
const isOurs = (path: string): boolean => {
  const { uid, mode } = statSync(path);
  return (uid === 0 || uid === process.geteuid!()) && (mode & 0o022) === 0;
};

const sha256Of = (file: Uint8Array): string => createHash('sha256').update(file).digest('hex');

/** Whether this is the file with which the binary was built, in a folder where no other user can replace it. */
const isGenuine = (folder: string, file: string, sha256: string): boolean => {
  try {
    return isOurs(folder) && isOurs(file) && sha256Of(readFileSync(file)) === sha256;
  } catch {
    return false;
  }
};

const isAlive = (pid: string): boolean => {
  try {
    return statSync(`/proc/${pid}`).isDirectory();
  } catch {
    return false;
  }
};

/** Removes leftovers of processes that were killed while unpacking. */
const sweep = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    const [, pid] = /\.unfinished-(\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(pid)) rmSync(join(folder, name), { force: true });
  }
};

const unpack = ({ compressed }: AddOn, folder: string, file: string): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!isOurs(folder)) throw new Error(`${folder}: expected a folder that only root or this user can write to`);
  sweep(folder);
  const unfinished = `${file}.unfinished-${process.pid}`;
  try {
    writeFileSync(unfinished, brotliDecompressSync(compressed()), { mode: 0o500 });
    renameSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
};

/** Path of the add-on: the installed file, or the standalone binary's unpacked one. Throws if it cannot be written. */
export const addOnFile = (addOn: AddOn, { installed, unpacked }: AddOnFolders = foldersOfThisProcess()): string => {
  const name = `${addOn.name}.node`;
  const beside = join(installed, name);
  if (isGenuine(installed, beside, addOn.sha256)) return beside;
  const folder = unpacked();
  const file = join(folder, name);
  if (!isGenuine(folder, file, addOn.sha256)) unpack(addOn, folder, file);
  return file;
};

/** Loads the add-on into this process. Throws if it is unavailable. */
export const loadAddOn = (addOn: AddOn): unknown => createRequire(process.execPath)(addOnFile(addOn)) as unknown;
