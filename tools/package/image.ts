import { join } from 'node:path';
import { ownLibraries } from './libraries.ts';
import { installProgram, type Program } from './program.ts';
import { project } from '../lib/project.ts';
import { sbomName, sbomText, withDebianPackages } from './sbom.ts';
import { Tree } from './tree.ts';

/**
 * Fills `folder` with the container image: the program, loader and libraries at their expected paths, and nothing else.
 */
export const fillImage = async (program: Program, folder: string): Promise<string> => {
  const tree = new Tree(folder);
  installProgram(tree, program);
  const libraries = await ownLibraries();
  for (const { path, file } of libraries.files) tree.copy(file, path, 0o755);
  const documents = 'usr/share/doc/xen-exporter';
  tree.copy(join(project, 'LICENSE'), `${documents}/LICENSE`);
  tree.write(`${documents}/THIRD-PARTY-LICENSES`, program.licences);
  tree.write(`${documents}/LIBRARY-LICENSES`, libraries.licences);
  tree.write(`${documents}/${sbomName}`, sbomText(withDebianPackages(program.sbom, libraries.packages)));
  return folder;
};
