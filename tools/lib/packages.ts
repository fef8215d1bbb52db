import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { machine } from './project.ts';
import { version } from '../../src/config/version.ts';
import { commandOutput } from './command.ts';
import { debianRoot } from './debian.ts';
import { project } from './project.ts';

const dist = join(project, 'dist');

const name = `xen-exporter-${version}-linux-${machine.architecture}`;

/** Files that `npm run package -- tarball deb image` creates. */
export const made = {
  /** Name of the folder in the tarball. */
  name,
  binary: join(dist, `xen-exporter-linux-${machine.architecture}`),
  tarball: join(dist, `${name}.tar.gz`),
  deb: join(dist, `xen-exporter_${version}_${machine.debian}.deb`),
  image: join(dist, 'package/image'),
};

/** Unpacks the tarball into `folder` and returns its single top folder. */
export const unpackTarball = async (folder: string): Promise<string> => {
  mkdirSync(folder, { recursive: true });
  await commandOutput('tar', ['-xzf', made.tarball, '-C', folder]);
  return join(folder, name);
};

/** Makes `root` a system with a shell and no libraries. */
export const makeSystemWithoutLibraries = async (root: string): Promise<void> => {
  const busybox = join(await debianRoot(['busybox-static'], { name: 'busybox' }), 'bin/busybox');
  for (const folder of ['bin', 'proc', 'sys', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
  await commandOutput('cp', [busybox, join(root, 'bin/busybox')]);
  for (const applet of [
    'cat',
    'chmod',
    'cp',
    'dirname',
    'grep',
    'id',
    'ln',
    'mkdir',
    'mv',
    'readlink',
    'rm',
    'rmdir',
    'sed',
    'sh',
  ]) {
    symlinkSync('busybox', join(root, 'bin', applet));
  }
};

/**
 * A command that runs another one with root folder `root` in a user namespace, with this machine's /proc and /sys,
 * optionally read-only.
 */
export const inRoot = (root: string, command: readonly string[], { isReadOnly = false } = {}): string[] => {
  const script = `
    set -e
    mount --bind "$0" "$0"
    mkdir -p "$0/proc" "$0/sys"
    mount --rbind /proc "$0/proc"
    mount --rbind /sys "$0/sys"
    ${isReadOnly ? 'mount -o remount,bind,ro "$0"' : ''}
    exec chroot "$0" "$@"`;
  return [
    'unshare',
    '--user',
    '--map-root-user',
    '--mount',
    '--propagation=private',
    'sh',
    '-c',
    script,
    root,
    ...command,
  ];
};
