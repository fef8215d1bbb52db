import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ownLibraries } from '../../../tools/package/libraries.ts';

test('the C library comes with its licence texts and says where its source is', async () => {
  const { files, packages, licences } = await ownLibraries();
  expect(files.filter(({ file }) => !existsSync(file))).toEqual([]);
  expect(packages.map(({ name }) => name)).toEqual(['libc6', 'libgcc-s1', 'libstdc++6']);
  for (const { name, version, source } of packages) {
    expect(version).toMatch(/^\d/);
    expect(licences).toContain(
      `${name} ${version} is Debian's package, unchanged. Its source: apt-get source ${source}=${version}, or https://snapshot.debian.org/package/${source}/${version}/`,
    );
  }
  expect(packages[0]?.source).toBe('glibc');
  for (const title of ['GNU LESSER GENERAL PUBLIC LICENSE', 'GCC RUNTIME LIBRARY EXCEPTION'])
    expect(licences).toContain(title);
  // The texts themselves, not only the names of Debian's files.
  for (const title of [/^LGPL-2\.1\n/m, /^GPL-3\n/m]) expect(licences).toMatch(title);
});
