import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '../../src/config/version.ts';
import { commandOutput } from '../lib/command.ts';
import { withDirectoryLock } from '../lib/directory-lock.ts';
import { fileOfNpm, machine, nodePackage, nodeVersion, project } from '../lib/project.ts';

const verifiedNode = async (): Promise<string> => {
  const path = fileOfNpm(`${nodePackage}/bin/node`);
  const found = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  if (found !== machine.nodeSha256)
    throw new Error(`${path}: expected Node ${nodeVersion} with sha256 ${machine.nodeSha256}, found ${found}`);
  return path;
};

/**
 * Puts Node where pkg 6.23 keeps its downloads. The empty files mark archive and checksum as done: pkg does not use the
 * network, and this project verifies the checksum.
 */
const fillCache = async (home: string): Promise<void> => {
  const release = join(home, '.pkg-cache/sea', `node-v${nodeVersion}-linux-${machine.architecture}`);
  await mkdir(join(release, 'bin'), { recursive: true });
  await copyFile(await verifiedNode(), join(release, 'bin/node'));
  for (const done of [`${release}/bin/node.ok`, `${release}.tar.gz`, `${release}.tar.gz.ok`]) await writeFile(done, '');
};

/**
 * Location of the bundle while pkg runs. The path becomes part of the executable, whose bytes must not depend on the
 * project's location. Only its owner may read it.
 */
const bundleFolder = '/tmp/xen-exporter-bundle';

const atFixedPath = (bundle: string, work: (path: string) => Promise<void>): Promise<void> =>
  withDirectoryLock(`${bundleFolder}.lock`, 600_000, async () => {
    await rm(bundleFolder, { recursive: true, force: true });
    await mkdir(bundleFolder, { mode: 0o700 });
    try {
      const path = join(bundleFolder, 'xen-exporter.cjs');
      await copyFile(bundle, path);
      await work(path);
    } finally {
      await rm(bundleFolder, { recursive: true });
    }
  });

/**
 * Builds `output`, one executable of Node and the bundle, and runs it: pkg can succeed and still produce a plain Node.
 */
export const writeBinary = async (bundle: string, output: string): Promise<void> => {
  const home = join(project, '.cache/pkg');
  await fillCache(home);
  await rm(output, { force: true });
  // With a three-part version pkg does not query its index on the network.
  const target = `node${nodeVersion}-linux-${machine.architecture}`;
  await atFixedPath(bundle, async (path) => {
    const args = [fileOfNpm('@yao-pkg/pkg/lib-es5/bin.js'), '--sea', '-t', target, '-o', output, path];
    await commandOutput(process.execPath, args, { env: { ...process.env, HOME: home }, title: 'pkg' });
  });
  const said = await commandOutput(output, ['--version']);
  if (said !== `xen-exporter ${version}\n`)
    throw new Error(`${output} --version: expected xen-exporter ${version}, found ${said}`);
};
