import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBinary } from './binary.ts';
import { writeBundle } from './bundle.ts';
import { thirdPartyLicences } from './licences.ts';
import { sbomText, softwareBill, type Sbom } from './sbom.ts';
import { addOnFiles, machine } from '../lib/project.ts';
import type { Tree } from './tree.ts';

/** The exporter as one executable. */
export interface Program {
  readonly binary: string;
  /** Licences of everything inside. */
  readonly licences: string;
  readonly sbom: Sbom;
}

/**
 * Builds the executable `xen-exporter-linux-ARCHITECTURE` and its SBOM in `folder`, from a bundle that it leaves in
 * `workFolder`.
 */
export const makeProgram = async (folder: string, workFolder: string): Promise<Program> => {
  const binary = join(folder, `xen-exporter-linux-${machine.architecture}`);
  const bundle = join(workFolder, 'xen-exporter.cjs');
  const packages = await writeBundle(bundle);
  const licences = thirdPartyLicences(packages);
  const sbom = await softwareBill(packages);
  await writeBinary(bundle, binary);
  writeFileSync(`${binary}.cdx.json`, sbomText(sbom));
  return { binary, licences, sbom };
};

/** Puts the executable and its add-ons into a folder of a package. */
export const putProgram = (tree: Tree, { binary }: Program, folder: string): void => {
  tree.copy(binary, `${folder}/xen-exporter`, 0o755);
  for (const [name, file] of Object.entries(addOnFiles)) tree.copy(file, `${folder}/addons/${name}.node`);
};

/** Installs the program at the packages' path, with the name by which it is started. */
export const installProgram = (tree: Tree, program: Program): void => {
  putProgram(tree, program, 'usr/lib/xen-exporter');
  tree.link('../lib/xen-exporter/xen-exporter', 'usr/bin/xen-exporter');
};
