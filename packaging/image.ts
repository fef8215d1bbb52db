import { join } from 'node:path';
import { ownLibraries } from './libraries.ts';
import type { Program } from './program.ts';
import { addOnFiles, project } from './project.ts';
import { Tree } from './tree.ts';

/** Fills `folder` with all files of the container's image: the program, loader and libraries where it looks for them, and nothing else. */
export const fillImage = async ({ binary, architecture, licences }: Program, folder: string): Promise<string> => {
  const tree = new Tree(folder);
  const library = 'usr/lib/xen-exporter';
  tree.copy(binary, `${library}/xen-exporter`, 0o755);
  for (const [name, file] of Object.entries(addOnFiles(architecture)))
    tree.copy(file, `${library}/addons/${name}.node`);
  tree.link('../lib/xen-exporter/xen-exporter', 'usr/bin/xen-exporter');
  const libraries = await ownLibraries();
  for (const { path, file } of libraries.files) tree.copy(file, path, 0o755);
  const documents = 'usr/share/doc/xen-exporter';
  tree.copy(join(project, 'LICENSE'), `${documents}/LICENSE`);
  tree.write(`${documents}/THIRD-PARTY-LICENSES`, licences);
  tree.write(`${documents}/LIBRARY-LICENSES`, libraries.licences);
  return folder;
};
