import { readFile, readlink, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { debianRoot } from '../lib/debian.ts';
import { machine } from '../lib/project.ts';

const packages = ['libc6', 'libgcc-s1', 'libstdc++6'] as const;

/**
 * Libraries that `readelf -d` lists for Node's binary and the add-ons, and the loader, which starts programs on older
 * systems.
 */
const libraries = [
  machine.loader,
  ...['libc.so.6', 'libdl.so.2', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0'].map(
    (name) => `lib/${machine.triplet}/${name}`,
  ),
  `usr/lib/${machine.triplet}/libstdc++.so.6`,
];

/** A Debian package. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Its source package, of the same version. */
  readonly source: string;
}

export interface OwnLibraries {
  /** Files with their paths below the root of a Debian system. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
  readonly packages: readonly DebianPackage[];
  /** Where to find the source, and all licence texts. */
  readonly licences: string;
}

/** Reads the package from the first line of its changelog in the folder `documentsOf`. */
const packageOf = async (name: string, documentsOf: string): Promise<DebianPackage> => {
  const file = join(documentsOf, 'changelog.Debian.gz');
  const [line = ''] = gunzipSync(await readFile(file))
    .toString('utf8')
    .split('\n', 1);
  const [, source, version] = /^(\S+) \((\S+)\) /.exec(line) ?? [];
  if (source === undefined || version === undefined)
    throw new Error(`${file}: expected a line "SOURCE (VERSION) ...", found "${line}"`);
  return { name, version, source };
};

const whereSourceIs = ({ name, version, source }: DebianPackage): string =>
  `${name} ${version} is Debian's package, unchanged. Its source: apt-get source ${source}=${version}, or https://snapshot.debian.org/package/${source}/${version}/`;

/** Loader and C library from Debian's packages. */
export const ownLibraries = async (): Promise<OwnLibraries> => {
  const name = 'libraries';
  const root = await debianRoot([...packages, 'base-files'], { name });
  const documents = join(root, 'usr/share/doc');
  // For example gcc-12-base, which contains the documents of the other two.
  const ofGcc = basename(await readlink(join(documents, 'libgcc-s1')));
  await debianRoot([ofGcc], { name });
  const found = await Promise.all(
    packages.map((each) => packageOf(each, join(documents, each === 'libc6' ? each : ofGcc))),
  );
  const copyrights = await Promise.all(
    ['libc6', ofGcc].map((each) => readFile(join(documents, each, 'copyright'), 'utf8')),
  );
  // Debian's copyright files refer to general licence texts that other systems lack.
  const general = new Set(
    await Promise.all(
      [...copyrights.join('').matchAll(/\/usr\/share\/common-licenses\/([A-Za-z]+(?:-[\d.]*\d)?)/g)].map(
        ([, licence]) => realpath(join(root, 'usr/share/common-licenses', licence!)),
      ),
    ),
  );
  const texts = await Promise.all(
    [...general].sort().map(async (file) => `${basename(file)}\n\n${await readFile(file, 'utf8')}`),
  );
  const parts = [found.map(whereSourceIs).join('\n'), ...copyrights, ...texts].map((part) => part.trim());
  return {
    files: libraries.map((path) => ({ path, file: join(root, path) })),
    packages: found,
    licences: `${parts.join(`\n\n${'='.repeat(80)}\n\n`)}\n`,
  };
};
