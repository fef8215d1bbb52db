import { basename, join } from 'node:path';
import { version } from '../../src/config/version.ts';
import { commandOutput } from '../lib/command.ts';
import { ownLibraries } from './libraries.ts';
import { machine, project } from '../lib/project.ts';
import { dropIns, ownFile, ownScript, sharedFiles, sourceDate, Tree, unitFiles } from './tree.ts';
import { putProgram, type Program } from './program.ts';
import { sbomName, sbomText, withDebianPackages } from './sbom.ts';

/**
 * Writes the tarball into `folder` from `workFolder` and returns its path: the program with its installer, and its own
 * loader and libraries for systems with a C library older than 2.28.
 */
export const writeTarball = async (program: Program, folder: string, workFolder: string): Promise<string> => {
  const name = `xen-exporter-${version}-linux-${machine.architecture}`;
  const tree = new Tree(join(workFolder, name));
  const libraries = await ownLibraries();
  putProgram(tree, program, 'lib');
  for (const { path, file } of libraries.files) tree.copy(file, `lib/${basename(path)}`, 0o755);
  tree.copy(ownFile('launcher.sh'), 'lib/xen-exporter.sh', 0o755);
  tree.link('lib/xen-exporter.sh', 'xen-exporter');
  tree.copy(ownFile('install.sh'), 'install.sh', 0o755);
  tree.copy(ownFile('system.sh'), 'system.sh');
  tree.write('check-units', ownScript('check-units.sh'), 0o755);
  for (const unit of [...unitFiles(), ...dropIns()]) tree.copy(unit.path, `systemd/${unit.name}`);
  for (const { name: file, path } of sharedFiles()) tree.copy(path, `share/${file}`);
  for (const file of ['LICENSE', 'CHANGELOG.md']) tree.copy(join(project, file), file);
  tree.copy(join(project, 'docs/install/README.md'), 'install.md');
  tree.write('THIRD-PARTY-LICENSES', program.licences);
  tree.write('LIBRARY-LICENSES', libraries.licences);
  tree.write(sbomName, sbomText(withDebianPackages(program.sbom, libraries.packages)));
  const tarball = join(folder, `${name}.tar.gz`);
  const reproducible = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${sourceDate()}`];
  const gzip = '--use-compress-program=gzip -n';
  await commandOutput('tar', [...reproducible, gzip, '-C', workFolder, '-cf', tarball, name]);
  return tarball;
};
