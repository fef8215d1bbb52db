// Needs the results of `npm run package -- tarball deb image`.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hashSync } from 'bcrypt';
import { describe, expect, test } from 'vitest';
import { makeProgram } from '../../tools/package/program.ts';
import { addOnFiles, machine, nodePackage, nodeVersion, project } from '../../tools/lib/project.ts';
import { version } from '../../src/config/version.ts';
import { commandOutput } from '../../tools/lib/command.ts';
import { startDaemon, type DaemonOptions } from '../../tools/lib/daemon.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { linksOf } from '../../tools/docs/links.ts';
import { inRoot, made, makeSystemWithoutLibraries, unpackTarball } from '../../tools/lib/packages.ts';

const sha256Of = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Documents of installed packages. */
const documents = 'usr/share/doc/xen-exporter';

const listensOnLoopback =
  'xen-exporter listens on 127.0.0.1 alone until you change LISTEN in /etc/default/xen-exporter.\n';

/** The source of listening sockets that the daemon logs. */
const listenerSource = async (options: DaemonOptions): Promise<string | undefined> => {
  await using daemon = await startDaemon(options);
  const exposition = await daemon.metrics('collect[]=listeners');
  const source = exposition.samples('xen_exporter_listener_source')[0]?.labels['source'];
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  return source;
};

describe('the binary alone', () => {
  test('speaks netlink by the add-on that it unpacks into its state directory, once', async () => {
    using folder = new TempTree();
    const binary = folder.path('xen-exporter');
    cpSync(made.binary, binary);
    const env = { STATE_DIRECTORY: folder.path('state') };
    expect(await listenerSource({ command: [binary], env })).toBe('netlink');
    const koffi = folder.path('state/addons/koffi.node');
    expect(readFileSync(koffi).equals(readFileSync(addOnFiles.koffi))).toBe(true);
    const { ctimeMs } = statSync(koffi);
    expect(await listenerSource({ command: [binary], env })).toBe('netlink');
    expect(statSync(koffi).ctimeMs).toBe(ctimeMs);
    expect(readdirSync(folder.root).sort()).toEqual(['state', 'xen-exporter']);
    expect(readdirSync(folder.path('state/addons'))).toEqual(['koffi.node']);
  });

  test('reads /proc where it can write to no state directory', async () => {
    using folder = new TempTree();
    const binary = folder.path('xen-exporter');
    cpSync(made.binary, binary);
    writeFileSync(folder.path('file'), '');
    const source = await listenerSource({ command: [binary], env: { STATE_DIRECTORY: folder.path('file/state') } });
    expect(source).toBe('proc');
  });

  test('looks at passwords', async () => {
    using folder = new TempTree();
    folder.write({ 'web.yml': `basic_auth_users:\n  alice: ${hashSync('secret', 4)}\n` });
    await using daemon = await startDaemon({
      command: [made.binary],
      args: [`--web.config.file=${folder.path('web.yml')}`],
      env: { STATE_DIRECTORY: folder.path('state') },
    });
    const authorization = (password: string) => `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`;
    expect(await daemon.get('/-/healthy', { authorization: authorization('wrong') })).toMatchObject({ status: 401 });
    expect(await daemon.get('/-/healthy', { authorization: authorization('secret') })).toMatchObject({ status: 200 });
    expect(await commandOutput(made.binary, ['health', `--url=${daemon.url}/-/healthy`])).toMatch(/: 401\n$/);
  });

  test('has the rules', async () => {
    expect(await commandOutput(made.binary, ['rules'])).toBe(
      await commandOutput(process.execPath, [join(project, 'src/main.ts'), 'rules']),
    );
  });

  test('has the same bytes when it is made again elsewhere', async () => {
    using folder = new TempTree();
    const { binary } = await makeProgram(folder.root, folder.root);
    expect(sha256Of(binary)).toBe(sha256Of(made.binary));
    expect(readFileSync(folder.path('xen-exporter.cjs'), 'utf8')).not.toContain(project);
  });
});

describe('the tarball', () => {
  test('runs with loader and libraries of its own where a system has none', async () => {
    using folder = new TempTree();
    await makeSystemWithoutLibraries(folder.root);
    await unpackTarball(folder.root);
    const unpacked = `/${made.name}`;
    const [program, ...args] = inRoot(folder.root, [`${unpacked}/lib/xen-exporter`, '--version']);
    await expect(commandOutput(program!, args)).rejects.toThrow('No such file or directory');
    const command = inRoot(folder.root, [`${unpacked}/xen-exporter`], { isReadOnly: true });
    expect(await listenerSource({ command })).toBe('netlink');
  });

  test('installs, upgrades, and leaves the configuration when it is removed', async () => {
    using folder = new TempTree();
    const root = folder.path('root');
    const install = async (...args: string[]) =>
      commandOutput(join(unpacked, 'install.sh'), [`--root=${root}`, ...args]);
    const unpacked = await unpackTarball(folder.path('unpacked'));

    expect(await install()).toBe(`${listensOnLoopback}xen-exporter ${version}\n`);
    expect(readdirSync(join(root, 'usr/lib/xen-exporter')).sort()).toEqual(['addons', 'check-units', 'xen-exporter']);
    const units = readdirSync(join(unpacked, 'systemd')).filter((name) => /\.(service|socket)$/.test(name));
    expect(readdirSync(join(root, 'usr/lib/systemd/system'))).toEqual(units);
    expect(
      await listenerSource({ command: [join(root, 'usr/bin/xen-exporter')], env: { STATE_DIRECTORY: root } }),
    ).toBe('netlink');
    expect(existsSync(join(root, 'addons'))).toBe(false);

    const defaults = join(root, 'etc/default/xen-exporter');
    writeFileSync(defaults, 'ARGS="--collector.disable-defaults"\n');
    writeFileSync(join(root, 'usr/lib/xen-exporter/of-the-old-version'), '');
    expect(await install()).toBe(`xen-exporter ${version}\n`);
    expect(readFileSync(defaults, 'utf8')).toBe('ARGS="--collector.disable-defaults"\n');
    expect(readdirSync(join(root, 'usr/lib'))).toEqual(['systemd', 'xen-exporter']);
    expect(readdirSync(join(root, 'usr/lib/xen-exporter')).sort()).toEqual(['addons', 'check-units', 'xen-exporter']);

    await install('--uninstall');
    expect(filesOf(root)).toEqual(['etc/default/xen-exporter']);
    await install('--uninstall', '--purge');
    expect(filesOf(root)).toEqual([]);
  });

  test('installs its own loader where the system has none that is new enough', async () => {
    using folder = new TempTree();
    await makeSystemWithoutLibraries(folder.root);
    await unpackTarball(folder.root);
    mkdirSync(folder.path('target'));
    const command = [`/${made.name}/install.sh`, '--root=/target'];
    const [program, ...args] = inRoot(folder.root, command);
    expect(await commandOutput(program!, args)).toBe(`${listensOnLoopback}xen-exporter ${version}\n`);
    expect(readdirSync(folder.path('target/usr/lib/xen-exporter'))).toContain(basename(machine.loader));
    expect(await listenerSource({ command: inRoot(folder.root, ['/target/usr/bin/xen-exporter']) })).toBe('netlink');
  });

  test('says what it expects', async () => {
    using folder = new TempTree();
    const unpacked = await unpackTarball(folder.root);
    await expect(commandOutput(join(unpacked, 'install.sh'), ['--root=relative'])).rejects.toThrow(
      'install.sh: --root=relative: expected --root=FOLDER (absolute), --no-start, --uninstall, --purge or --help',
    );
    expect(await commandOutput(join(unpacked, 'install.sh'), ['--help'])).toMatch(/^Installs, upgrades and removes/);
  });
});

const filesOf = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));

describe('rules, runbooks, Alertmanager files and dashboards', () => {
  const inPackages = async (folder: TempTree): Promise<string[]> => {
    await commandOutput('dpkg-deb', ['--raw-extract', made.deb, folder.path('deb')]);
    const unpacked = await unpackTarball(folder.path('tarball'));
    await commandOutput(join(unpacked, 'install.sh'), [`--root=${folder.path('root')}`]);
    return [folder.path('deb/usr/share/xen-exporter'), folder.path('root/usr/share/xen-exporter')];
  };

  test('are in the Debian package and in what the tarball installs, as they are here', async () => {
    using folder = new TempTree();
    for (const root of await inPackages(folder)) {
      for (const part of ['runbooks', 'rules', 'alertmanager', 'grafana']) {
        const files = filesOf(join(project, part)).sort();
        expect(files.length).toBeGreaterThan(1);
        expect(filesOf(join(root, part)).sort()).toEqual(files);
        for (const file of files)
          expect(readFileSync(join(root, part, file)).equals(readFileSync(join(project, part, file))), file).toBe(true);
      }
    }
  });

  test('have links that lead somewhere in the package, too', async () => {
    using folder = new TempTree();
    for (const root of await inPackages(folder)) {
      const pages = filesOf(root).filter((file) => /^(runbooks|docs)\/.*\.md$/.test(file));
      expect(pages.filter((page) => page.startsWith('docs/')).length).toBeGreaterThan(20);
      const links = pages.flatMap((page) =>
        linksOf(readFileSync(join(root, page), 'utf8')).map((link) => join(dirname(page), link.replace(/#.*/, ''))),
      );
      // Pictures, and pages outside docs/, are only in the repository.
      const among = links.filter((target) => /^(runbooks|docs)\/.*\.md$/.test(target));
      expect(among.length).toBeGreaterThan(200);
      expect(among.filter((target) => !existsSync(join(root, target)))).toEqual([]);
    }
  });
});

describe('the software bill of materials', () => {
  interface Bill {
    bomFormat: string;
    serialNumber?: string;
    components: { name: string; version: string; purl: string; cpe?: string }[];
  }
  const read = (file: string): Bill => JSON.parse(readFileSync(file, 'utf8')) as Bill;
  const namesIn = ({ components }: Bill): string[] => components.map(({ name }) => name);

  test('of the binary: Node, and the packages of npm that are in the bundle', () => {
    const bill = read(`${made.binary}.cdx.json`);
    expect(bill.bomFormat).toBe('CycloneDX');
    expect(bill.serialNumber).toBeUndefined();
    const addOn = `@koromix/koffi-linux-${machine.architecture}`;
    expect(namesIn(bill)).toEqual(expect.arrayContaining(['express', 'koffi', addOn, 'bcrypt', nodePackage]));
    for (const other of ['typescript', 'vitest', 'esbuild']) expect(namesIn(bill)).not.toContain(other);
    expect(bill.components.find(({ name }) => name === nodePackage)).toMatchObject({
      version: nodeVersion,
      cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*`,
    });
    // The licences name the same packages with their versions.
    const licences = readFileSync(join(made.image, documents, 'THIRD-PARTY-LICENSES'), 'utf8');
    for (const { name, version: its } of bill.components)
      expect(licences).toContain(name === nodePackage ? `Node.js ${its}\n` : `${name} ${its} (`);
  });

  test('is in every package, with the C library where that is, too', async () => {
    using folder = new TempTree();
    await commandOutput('dpkg-deb', ['--raw-extract', made.deb, folder.path('deb')]);
    const tarball = await unpackTarball(folder.path('tarball'));
    const ofBinary = namesIn(read(`${made.binary}.cdx.json`));
    const libraries = ['libc6', 'libgcc-s1', 'libstdc++6'];
    expect(namesIn(read(folder.path(`deb/${documents}/sbom.cdx.json`)))).toEqual(ofBinary);
    for (const [bill, licences] of [
      [join(tarball, 'sbom.cdx.json'), join(tarball, 'LIBRARY-LICENSES')],
      [join(made.image, documents, 'sbom.cdx.json'), join(made.image, documents, 'LIBRARY-LICENSES')],
    ] as const) {
      expect(namesIn(read(bill))).toEqual([...ofBinary, ...libraries]);
      expect(read(bill).components.find(({ name }) => name === 'libc6')?.purl).toMatch(/^pkg:deb\/debian\/libc6@2\./);
      expect(readFileSync(licences, 'utf8')).toMatch(
        /^libc6 \S+ is Debian's package, unchanged\. Its source: apt-get source glibc=/,
      );
    }
  });
});

test('the Debian package runs where it is unpacked, and has no file that an upgrade could put in the place of one in /etc', async () => {
  using folder = new TempTree();
  await commandOutput('dpkg-deb', ['--raw-extract', made.deb, folder.root]);
  const env = { STATE_DIRECTORY: folder.path('state') };
  expect(await listenerSource({ command: [folder.path('usr/bin/xen-exporter')], env })).toBe('netlink');
  expect(existsSync(folder.path('state'))).toBe(false);
  expect(existsSync(folder.path('etc'))).toBe(false);
  expect(existsSync(folder.path('DEBIAN/conffiles'))).toBe(false);
  expect(readFileSync(folder.path('usr/share/xen-exporter/default'), 'utf8')).toMatch(
    /^LISTEN=".*127\.0\.0\.1:28697"$/m,
  );
  expect(await commandOutput('dpkg-deb', ['--field', made.deb, 'Version'])).toBe(`${version}\n`);
  for (const script of ['DEBIAN/postinst', 'DEBIAN/prerm', 'DEBIAN/postrm', 'usr/lib/xen-exporter/check-units'])
    await commandOutput('sh', ['-n', folder.path(script)]);
});

test('the files of the image are all that it needs, without a place to write to', async () => {
  const command = inRoot(made.image, ['/usr/bin/xen-exporter'], { isReadOnly: true });
  await using daemon = await startDaemon({ command, env: { STATE_DIRECTORY: '/state' } });
  const exposition = await daemon.metrics('collect[]=listeners');
  expect(exposition.value('xen_exporter_listener_source', { source: 'netlink' })).toBe(1);
  const [program, ...args] = inRoot(made.image, ['/usr/bin/xen-exporter', 'health', `--url=${daemon.url}/-/healthy`]);
  expect(await commandOutput(program!, args)).toBe(`${daemon.url}/-/healthy: 200\n`);
});
