import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commandOutput } from '../../tools/lib/command.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';

/** Writes the tarball's files that `install.sh` reads, with a script as the program. */
const writeTarball = (folder: TempTree): void => {
  folder.writeScript('tarball/lib/xen-exporter', 'echo xen-exporter 1.2.3');
  folder.write({ 'tarball/lib/addons/koffi.node': '', 'tarball/share/rules/rules.yml': '' });
  const copy = (from: string, to: string): void =>
    void folder.write({ [`tarball/${to}`]: readFileSync(join(project, from)) });
  for (const name of ['install.sh', 'system.sh']) copy(`packaging/${name}`, name);
  copy('packaging/default', 'share/default');
  folder.writeScript('tarball/check-units', 'exit 0');
  for (const name of readdirSync(join(project, 'systemd'))) copy(`systemd/${name}`, `systemd/${name}`);
};

const modesBelow = (root: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(root.length + 1), (statSync(path).mode & 0o7777).toString(8)]),
  );

const listensOnLoopback =
  'xen-exporter listens on 127.0.0.1 alone until you change LISTEN in /etc/default/xen-exporter.\n';

const installed = {
  etc: '755',
  'etc/default': '755',
  'etc/default/xen-exporter': '644',
  usr: '755',
  'usr/bin': '755',
  'usr/bin/xen-exporter': '755',
  'usr/lib': '755',
  'usr/lib/systemd': '755',
  'usr/lib/systemd/system': '755',
  'usr/lib/systemd/system/xen-exporter-dom0.service': '644',
  'usr/lib/systemd/system/xen-exporter-dom0.socket': '644',
  'usr/lib/systemd/system/xen-exporter-helper.service': '644',
  'usr/lib/systemd/system/xen-exporter.service': '644',
  'usr/lib/systemd/system/xen-exporter.socket': '644',
  'usr/lib/xen-exporter': '755',
  'usr/lib/xen-exporter/addons': '755',
  'usr/lib/xen-exporter/addons/koffi.node': '644',
  'usr/lib/xen-exporter/check-units': '755',
  'usr/lib/xen-exporter/xen-exporter': '755',
  'usr/share': '755',
  'usr/share/xen-exporter': '755',
  'usr/share/xen-exporter/default': '644',
  'usr/share/xen-exporter/rules': '755',
  'usr/share/xen-exporter/rules/rules.yml': '644',
};

test.each(['000', '002', '022', '027', '077'])(
  'unpacked and installed under umask %s: everybody reads, only root writes',
  async (umask) => {
    using folder = new TempTree();
    writeTarball(folder);
    const root = folder.path('root');
    // chmod =rwX gives the modes that unpacking under this umask leaves.
    const script = `umask ${umask}; chmod -R =rwX "$0"; sh "$0/install.sh" "--root=$1"`;
    const install = () => commandOutput('sh', ['-c', script, folder.path('tarball'), root]);

    expect(await install()).toBe(`${listensOnLoopback}xen-exporter 1.2.3\n`);
    expect(modesBelow(root)).toEqual(installed);

    // Modes left by an installer that obeyed its umask are repaired by an upgrade.
    await commandOutput('chmod', ['-R', 'a+rwX', join(root, 'usr/lib/systemd/system/xen-exporter.service')]);
    await commandOutput('chmod', ['a+rw', join(root, 'etc/default/xen-exporter')]);
    for (const path of ['etc/default', 'usr/bin', 'usr/lib/systemd/system'])
      await commandOutput('chmod', ['a+rwx', join(root, path)]);
    expect(await install()).toBe('xen-exporter 1.2.3\n');
    expect(modesBelow(root)).toEqual(installed);
  },
);

test('an upgrade leaves hidden flags hidden', async () => {
  using folder = new TempTree();
  writeTarball(folder);
  const root = folder.path('root');
  const install = () => commandOutput('sh', [folder.path('tarball/install.sh'), `--root=${root}`]);
  await install();
  await commandOutput('chmod', ['600', join(root, 'etc/default/xen-exporter')]);
  await install();
  expect(modesBelow(root)).toEqual({ ...installed, 'etc/default/xen-exporter': '600' });
});

test.each([
  ['flags that nobody has changed', 'ARGS=""\nHELPER_ARGS=""\n'],
  ['flags of the administrator', 'ARGS="--log.level=warn"\n'],
])('an upgrade leaves %s as they are', async (_, flags) => {
  using folder = new TempTree();
  writeTarball(folder);
  const root = folder.path('root');
  const install = () => commandOutput('sh', [folder.path('tarball/install.sh'), `--root=${root}`]);
  await install();
  const defaults = join(root, 'etc/default/xen-exporter');
  expect(readFileSync(defaults, 'utf8')).toContain('\nLISTEN="--web.listen-address=127.0.0.1:28697"\n');
  writeFileSync(defaults, flags);
  expect(await install()).toBe('xen-exporter 1.2.3\n');
  expect(readFileSync(defaults, 'utf8')).toBe(flags);
});

test('an upgrade makes no flags where the administrator has removed them', async () => {
  using folder = new TempTree();
  writeTarball(folder);
  const root = folder.path('root');
  const install = () => commandOutput('sh', [folder.path('tarball/install.sh'), `--root=${root}`]);
  await install();
  rmSync(join(root, 'etc/default/xen-exporter'));
  expect(await install()).toBe('xen-exporter 1.2.3\n');
  expect(existsSync(join(root, 'etc/default/xen-exporter'))).toBe(false);
});
