import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The root of the project. */
export const project = resolve(import.meta.dirname, '../..');

interface Machine {
  /** Processor name of Node and npm. */
  readonly architecture: string;
  /** Debian's name. */
  readonly debian: string;
  /** Folder of its libraries. */
  readonly triplet: string;
  /** Path of the loader in programs, below the root. */
  readonly loader: string;
  /** Checksum of the Node inside the binary. */
  readonly nodeSha256: string;
}

const machines: readonly Machine[] = [
  {
    architecture: 'x64',
    debian: 'amd64',
    triplet: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
    nodeSha256: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
  },
  {
    architecture: 'arm64',
    debian: 'arm64',
    triplet: 'aarch64-linux-gnu',
    loader: 'lib/ld-linux-aarch64.so.1',
    nodeSha256: '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
  },
];

const machineOf = (architecture: string): Machine => {
  const found = machines.find((each) => each.architecture === architecture);
  if (found) return found;
  throw new Error(`${architecture}: packages are made on ${machines.map((each) => each.architecture).join(' and ')}`);
};

/** This machine's kind, for which packages are made. */
export const machine = machineOf(process.arch);

/** A file of a package installed by npm ci. Throws if it is missing. */
export const fileOfNpm = (path: string): string => {
  const file = join(project, 'node_modules', path);
  if (!existsSync(file)) throw new Error(`${file} is missing: npm ci installs it`);
  return file;
};

/** The Node package installed by npm ci: its folder in node_modules, and its version. */
export const nodePackage = `node-linux-${machine.architecture}`;
export const nodeVersion = (
  JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { optionalDependencies: Record<string, string> }
).optionalDependencies[nodePackage]!;

/** The native add-ons, for glibc. */
export const addOnFiles = {
  koffi: fileOfNpm(`@koromix/koffi-linux-${machine.architecture}/linux_${machine.architecture}/koffi.node`),
  bcrypt: fileOfNpm(`bcrypt/prebuilds/linux-${machine.architecture}/bcrypt.glibc.node`),
} as const;
