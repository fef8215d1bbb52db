// npm run package: makes dist/xen-exporter-linux-x64 and of it the tarball and the Debian package.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeDebianPackage } from './deb.ts';
import { makeProgram } from './program.ts';
import { project } from './project.ts';
import { writeTarball } from './tarball.ts';

const folder = join(project, 'dist');
const workFolder = join(folder, 'package');
mkdirSync(workFolder, { recursive: true });
const program = await makeProgram('x64', folder, workFolder);
console.log(program.binary);
console.log(await writeTarball(program, folder, workFolder));
console.log(await writeDebianPackage(program, folder, workFolder));
