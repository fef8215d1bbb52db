import { readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { debianRoot } from '../lib/debian.ts';
import { machine } from '../lib/project.ts';

const packages = ['libc6', 'libgcc-s1', 'libstdc++6'] as const;

/** What `readelf -d` names in Node's binary and in the add-ons, and the loader, which starts a program where the system's own is too old. */
const libraries = [
  machine.loader,
  ...['libc.so.6', 'libdl.so.2', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0'].map(
    (name) => `lib/${machine.triplet}/${name}`,
  ),
  `usr/lib/${machine.triplet}/libstdc++.so.6`,
];

export interface OwnLibraries {
  /** Each with its path below the root of a Debian system. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
  readonly licences: string;
}

/** Loader and C library, as Debian's packages have them, with the text of their licences. */
export const ownLibraries = async (): Promise<OwnLibraries> => {
  const name = 'libraries';
  const root = await debianRoot(packages, { name });
  const documents = join(root, 'usr/share/doc');
  // Such as gcc-12-base, which has the licence of the other two.
  const ofGcc = basename(await readlink(join(documents, 'libgcc-s1')));
  await debianRoot([ofGcc], { name });
  const licences = ['libc6', ofGcc].map(async (each) => {
    const text = await readFile(join(documents, each, 'copyright'), 'utf8');
    return `${each}, as Debian's package has it; Debian has the source\n\n${text.trim()}`;
  });
  return {
    files: libraries.map((path) => ({ path, file: join(root, path) })),
    licences: `${(await Promise.all(licences)).join(`\n\n${'='.repeat(80)}\n\n`)}\n`,
  };
};
