import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileOfNpm, nodePackage, nodeVersion, project } from '../lib/project.ts';

const isLicence = (name: string): boolean => /^(licen[cs]e|copying|notice)/i.test(name);

const licenceOf = (folder: string): string => {
  const { name, version, license } = JSON.parse(readFileSync(join(project, folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license: string;
  };
  const texts = readdirSync(join(project, folder))
    .filter(isLicence)
    .map((file) => readFileSync(join(project, folder, file), 'utf8').trim());
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
};

/** The licences of all that the binary holds beside the exporter: Node, and packages of npm's given as folders. */
export const thirdPartyLicences = (packages: readonly string[]): string => {
  const node = `Node.js ${nodeVersion}\n\n${readFileSync(fileOfNpm(`${nodePackage}/LICENSE`), 'utf8').trim()}`;
  return `${[node, ...packages.map(licenceOf)].join(`\n\n${'='.repeat(80)}\n\n`)}\n`;
};
