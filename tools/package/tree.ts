import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { project } from '../lib/project.ts';

/** A folder for a package. All users may read its files, and only the owner may write. */
export class Tree {
  readonly root: string;

  /** Empties the folder. */
  constructor(root: string) {
    this.root = root;
    rmSync(root, { recursive: true, force: true });
    this.#makeFolder(root);
  }

  /** Writes a file and creates its folders. */
  write(path: string, content: string | Uint8Array, mode: 0o644 | 0o755 = 0o644): void {
    const file = this.#place(path);
    writeFileSync(file, content);
    chmodSync(file, mode);
  }

  copy(from: string, path: string, mode: 0o644 | 0o755 = 0o644): void {
    const file = this.#place(path);
    copyFileSync(realpathSync(from), file);
    chmodSync(file, mode);
  }

  link(target: string, path: string): void {
    symlinkSync(target, this.#place(path));
  }

  #place(path: string): string {
    const file = join(this.root, path);
    this.#makeFolder(dirname(file));
    return file;
  }

  #makeFolder(path: string): void {
    if (existsSync(path)) return;
    this.#makeFolder(dirname(path));
    mkdirSync(path);
    chmodSync(path, 0o755);
  }
}

const systemdFiles = (kind: string): { name: string; path: string }[] => {
  const folder = join(project, 'systemd');
  return readdirSync(folder)
    .filter((name) => name.endsWith(kind))
    .map((name) => ({ name, path: join(folder, name) }));
};

/** The systemd units with their paths: services, and their sockets, which nothing enables. */
export const unitFiles = (): { name: string; path: string }[] => [
  ...systemdFiles('.service'),
  ...systemdFiles('.socket'),
];

/** Drop-ins for units, with their paths. */
export const dropIns = (): { name: string; path: string }[] => systemdFiles('.conf');

const sharedFolders = ['runbooks', 'rules', 'alertmanager', 'grafana'];

/**
 * Files below /usr/share/xen-exporter: rules, Alertmanager configuration, dashboards, runbooks with the pages that they
 * link to, drop-ins for units, and the flags of a first installation.
 */
export const sharedFiles = (): { name: string; path: string }[] => {
  const below = sharedFolders.flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(project, join(entry.parentPath, entry.name))),
  );
  const pages = (readdirSync(join(project, 'docs'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  const files = [...below, ...pages].sort().map((name) => ({ name, path: join(project, name) }));
  const ofUnits = dropIns().map(({ name, path }) => ({ name: `systemd/${name}`, path }));
  return [
    ...files,
    ...ofUnits,
    { name: 'relisten', path: ownFile('relisten') },
    { name: 'default', path: ownFile('default') },
  ];
};

/** A file of packaging/. */
export const ownFile = (name: string): string => join(project, 'packaging', name);
export const ownText = (name: string): string => readFileSync(ownFile(name), 'utf8');

/** A shell script of packaging/ with the shared functions. */
export const ownScript = (name: string): string => `#!/bin/sh\nset -e\n\n${ownText('system.sh')}\n${ownText(name)}`;

/**
 * Timestamp of every file in a package, in seconds since 1970, so that builds are reproducible: SOURCE_DATE_EPOCH, else
 * the time of the last commit, else (in a copy without history) the first day of 2026.
 */
export const sourceDate = (): number => {
  const { SOURCE_DATE_EPOCH } = process.env;
  if (SOURCE_DATE_EPOCH !== undefined) return Number(SOURCE_DATE_EPOCH);
  try {
    const seconds = execFileSync('git', ['log', '-1', '--format=%ct'], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number(seconds.toString());
  } catch {
    return Date.UTC(2026, 0, 1) / 1e3;
  }
};
