import { freemem } from 'node:os';
import { findProgram } from '../../src/host/commands.ts';
import { commandOutput } from '../../tools/lib/command.ts';

/** Programs that build and run the lab, with their Debian packages. */
const PROGRAMS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  mmdebstrap: 'mmdebstrap',
  cpio: 'cpio',
  zstd: 'zstd',
  ssh: 'openssh-client',
  mke2fs: 'e2fsprogs',
} as const;

const GIBIBYTE = 2 ** 30;
const MEMORY = 6 * GIBIBYTE;

/**
 * Requirements of the lab that this machine lacks and `installPrograms` cannot install, one sentence each; empty if
 * none.
 */
export function lacking(): string[] {
  const lacks: string[] = [];
  if (process.arch !== 'x64' || process.platform !== 'linux') {
    lacks.push(`an x86-64 Linux (this is ${process.platform} on ${process.arch})`);
  }
  if (process.getuid?.() !== 0)
    lacks.push('root: the images are made in a chroot, from Debian packages that are installed there');
  if (findProgram('apt-get') === undefined) lacks.push('apt-get: the lab is made of Debian packages');
  if (freemem() < MEMORY)
    lacks.push(`${MEMORY / GIBIBYTE} GiB of free memory (this has ${Math.floor(freemem() / GIBIBYTE)})`);
  return lacks;
}

/** Installs missing programs that build and run the lab with apt. */
export async function installPrograms(): Promise<void> {
  const packages = Object.entries(PROGRAMS).flatMap(([program, name]) =>
    findProgram(program) === undefined ? [name] : [],
  );
  // mmdebstrap also reads the package lists.
  await commandOutput('apt-get', ['-qq', 'update']);
  if (packages.length === 0) return;
  await commandOutput('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...packages], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}
