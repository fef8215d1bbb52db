import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileOfNpm, machine, nodePackage, nodeVersion, project } from '../lib/project.ts';

const isLicence = (name: string): boolean => /^(licen[cs]e|copying|notice)/i.test(name);

/** Licence texts of packages without one of their own: covered by another package's text, or compiled into add-ons. */
const furtherTexts: Readonly<Record<string, readonly string[]>> = {
  [`@koromix/koffi-linux-${machine.architecture}`]: [
    'koffi/LICENSE.txt',
    'koffi/vendor/node-addon-api/LICENSE.md',
    'koffi/vendor/node-api-headers/LICENSE',
  ],
  bcrypt: ['bcrypt/src/bcrypt.cc', 'bcrypt/src/blowfish.cc', 'node-addon-api/LICENSE.md'],
};

/** A licence text; in C++ the comment that contains it. */
const textOf = (file: string): string => {
  const content = readFileSync(file, 'utf8').trim();
  if (!file.endsWith('.cc')) return content;
  const comment = content.match(/\/\*[^]*?\*\//g)?.find((each) => each.includes('Copyright'));
  if (comment === undefined) throw new Error(`${file}: expected a comment with a copyright, found none`);
  return comment;
};

const licenceOf = (folder: string): string => {
  const { name, version, license } = JSON.parse(readFileSync(join(project, folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license: string;
  };
  const own = readdirSync(join(project, folder)).filter(isLicence);
  const files = [...own.map((file) => join(project, folder, file)), ...(furtherTexts[name] ?? []).map(fileOfNpm)];
  if (files.length === 0) throw new Error(`${folder}: expected a licence text, found none`);
  return [`${name} ${version} (${license})`, ...files.map(textOf)].join('\n\n');
};

/**
 * Licences of everything in the binary other than the exporter: Node, and npm packages given as folders. Throws if a
 * text is missing.
 */
export const thirdPartyLicences = (packages: readonly string[]): string => {
  const node = `Node.js ${nodeVersion}\n\n${readFileSync(fileOfNpm(`${nodePackage}/LICENSE`), 'utf8').trim()}`;
  return `${[node, ...packages.map(licenceOf)].join(`\n\n${'='.repeat(80)}\n\n`)}\n`;
};
