// Part of the binary alone: where its native add-ons are when they are no packages of npm's.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/** An add-on as the binary carries it. */
export interface AddOn {
  readonly name: string;
  /** Of its file. */
  readonly sha256: string;
  /** Its file, by brotli. */
  readonly compressed: () => Uint8Array;
}

export interface AddOnFolders {
  /** Beside the binary: where packages, tarball and image have it. */
  readonly installed: string;
  /** Where the lone binary puts it. Throws for a user who has neither a state directory nor a home: nobody else is asked for one. */
  readonly unpacked: () => string;
}

const stateFolder = (): string => {
  const { STATE_DIRECTORY, XDG_STATE_HOME } = process.env;
  if (STATE_DIRECTORY) return STATE_DIRECTORY.split(':')[0]!;
  if (process.geteuid!() === 0) return '/var/lib/xen-exporter';
  return join(XDG_STATE_HOME || join(homedir(), '.local/state'), 'xen-exporter');
};

// Where the binary is started by the loader that comes with it, this is the loader's path: they share a folder.
const foldersOfThisProcess = (): AddOnFolders => ({
  installed: join(dirname(process.execPath), 'addons'),
  unpacked: () => join(stateFolder(), 'addons'),
});

/** Whether nobody but root and this user can have put it there. */
const isOurs = (path: string): boolean => {
  const { uid, mode } = statSync(path);
  return (uid === 0 || uid === process.geteuid!()) && (mode & 0o022) === 0;
};

const sha256Of = (file: Uint8Array): string => createHash('sha256').update(file).digest('hex');

/** Whether this is the file that the binary was built with, where no stranger can exchange it. */
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

/** What processes that were killed while they unpacked have left. */
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

/** Path of the add-on: where it was installed or, of a lone binary, where it has unpacked it. Throws where it cannot be written. */
export const addOnFile = (addOn: AddOn, { installed, unpacked }: AddOnFolders = foldersOfThisProcess()): string => {
  const name = `${addOn.name}.node`;
  const beside = join(installed, name);
  if (isGenuine(installed, beside, addOn.sha256)) return beside;
  const folder = unpacked();
  const file = join(folder, name);
  if (!isGenuine(folder, file, addOn.sha256)) unpack(addOn, folder, file);
  return file;
};

/** Loads the add-on into this process. Throws where it cannot be had. */
export const loadAddOn = (addOn: AddOn): unknown => createRequire(process.execPath)(addOnFile(addOn)) as unknown;
