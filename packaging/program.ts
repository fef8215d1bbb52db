import { join } from 'node:path';
import { writeBinary } from './binary.ts';
import { writeBundle } from './bundle.ts';
import { thirdPartyLicences } from './licences.ts';
import type { Architecture } from './project.ts';

/** The exporter as one executable. */
export interface Program {
  readonly binary: string;
  readonly architecture: Architecture;
  /** Of all that is in it. */
  readonly licences: string;
}

/** Makes the executable `xen-exporter-linux-ARCHITECTURE` in `folder`, of a bundle that it leaves in `workFolder`. */
export const makeProgram = async (architecture: Architecture, folder: string, workFolder: string): Promise<Program> => {
  const binary = join(folder, `xen-exporter-linux-${architecture}`);
  const bundle = join(workFolder, 'xen-exporter.cjs');
  const licences = thirdPartyLicences(await writeBundle(architecture, bundle));
  await writeBinary(architecture, bundle, binary);
  return { binary, architecture, licences };
};
