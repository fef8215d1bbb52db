// npm run package [-- KIND...]: builds dist/xen-exporter-linux-ARCHITECTURE for machines like this one, and packages of
// the given kinds (default: tarball and Debian package).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeDebianPackage } from './deb.ts';
import { fillImage } from './image.ts';
import { makeProgram, type Program } from './program.ts';
import { project } from '../lib/project.ts';
import { writeTarball } from './tarball.ts';

const folder = join(project, 'dist');
const workFolder = join(folder, 'package');

const kinds: Readonly<Record<string, (program: Program) => Promise<string>>> = {
  tarball: (program) => writeTarball(program, folder, workFolder),
  deb: (program) => writeDebianPackage(program, folder, workFolder),
  image: (program) => fillImage(program, join(workFolder, 'image')),
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : ['tarball', 'deb'];
const unknown = wanted.find((kind) => kinds[kind] === undefined);
if (unknown !== undefined) throw new Error(`${unknown}: expected ${Object.keys(kinds).join(', ')}`);

mkdirSync(workFolder, { recursive: true });
const program = await makeProgram(folder, workFolder);
console.log(program.binary);
for (const kind of wanted) console.log(await kinds[kind]!(program));
