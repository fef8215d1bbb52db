import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { version } from '../../src/config/version.ts';
import { commandOutput } from '../lib/command.ts';
import { manualPage } from './manual.ts';
import { installProgram, type Program } from './program.ts';
import { machine, project } from '../lib/project.ts';
import { sbomName, sbomText } from './sbom.ts';
import { ownFile, ownScript, ownText, sharedFiles, sourceDate, Tree, unitFiles } from './tree.ts';

const zip = (text: string | Uint8Array): Uint8Array => gzipSync(text, { level: 9 });

const changelog = (): string => `xen-exporter (${version}) stable; urgency=medium

  * See CHANGELOG.md.gz.

 -- xen-exporter maintainers <maintainers@example.org>  ${rfc2822(sourceDate())}
`;

const rfc2822 = (seconds: number): string => new Date(seconds * 1e3).toUTCString().replace('GMT', '+0000');

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

const putFiles = (tree: Tree, program: Program): void => {
  installProgram(tree, program);
  for (const { name, path } of unitFiles()) tree.copy(path, `usr/lib/systemd/system/${name}`);
  tree.write('usr/lib/xen-exporter/check-units', ownScript('check-units.sh'), 0o755);
  tree.write('usr/share/man/man8/xen-exporter.8.gz', zip(manualPage()));
  const documents = 'usr/share/doc/xen-exporter';
  tree.copy(ownFile('debian/copyright'), `${documents}/copyright`);
  tree.write(`${documents}/changelog.gz`, zip(changelog()));
  tree.write(`${documents}/CHANGELOG.md.gz`, zip(readFileSync(join(project, 'CHANGELOG.md'))));
  tree.write(`${documents}/THIRD-PARTY-LICENSES.gz`, zip(program.licences));
  tree.write(`${documents}/${sbomName}`, sbomText(program.sbom));
  for (const { name, path } of sharedFiles()) tree.copy(path, `usr/share/xen-exporter/${name}`);
  tree.copy(ownFile('debian/lintian-overrides'), 'usr/share/lintian/overrides/xen-exporter');
};

const putControl = (tree: Tree): void => {
  const files = filesBelow(tree.root);
  const kibibytes = files.reduce((sum, file) => sum + Math.ceil(statSync(file).size / 1024), 0);
  const sums = files.map((file) => {
    const sum = createHash('md5').update(readFileSync(file)).digest('hex');
    return `${sum}  ${file.slice(tree.root.length + 1)}\n`;
  });
  const control = ownText('debian/control')
    .replace('@VERSION@', version)
    .replace('@ARCHITECTURE@', machine.debian)
    .replace('@SIZE@', String(kibibytes));
  tree.write('DEBIAN/control', control);
  tree.write('DEBIAN/md5sums', sums.join(''));
  for (const name of ['postinst', 'prerm', 'postrm']) tree.write(`DEBIAN/${name}`, ownScript(`debian/${name}`), 0o755);
};

/** Builds the Debian package in `folder` from `workFolder` with dpkg-deb. Returns its path. */
export const writeDebianPackage = async (program: Program, folder: string, workFolder: string): Promise<string> => {
  const name = `xen-exporter_${version}_${machine.debian}`;
  const tree = new Tree(join(workFolder, name));
  putFiles(tree, program);
  putControl(tree);
  const file = join(folder, `${name}.deb`);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) };
  await commandOutput('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', tree.root, file], { env });
  return file;
};
