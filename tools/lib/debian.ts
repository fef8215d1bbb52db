import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findProgram } from '../../src/host/commands.ts';
import { commandOutput } from './command.ts';
import { withDirectoryLock } from './directory-lock.ts';
import { project } from './project.ts';

const CACHE = join(project, '.cache/debian');
const COMMAND_TIMEOUT_MS = 300_000;
const ARCHIVE_KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';

export interface Tool {
  path: string;
  env: NodeJS.ProcessEnv;
}

export interface ToolAnswer {
  stdout: string;
  stderr: string;
}

interface ToolPackages {
  packages: readonly string[];
  path: string;
  /** The release of Debian, if it is not the machine's own. */
  release?: string;
  /** Folders of libraries below those of Debian. */
  libraries?: readonly string[];
}
/** Everything that `ldd` names of ss and ip on Debian 12 but libc6, so that nothing depends on what else a machine happens to have. */
const IPROUTE = [
  'iproute2',
  'libbsd0',
  'libbpf1',
  'libcap2',
  'libcom-err2',
  'libelf1',
  'libgssapi-krb5-2',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libmd0',
  'libmnl0',
  'libpcre2-8-0',
  'libselinux1',
  'libtirpc3',
  'zlib1g',
] as const;

/** Packages that hold each tool and what it loads, and its path inside them. */
const TOOLS = {
  prometheus: { packages: ['prometheus'], path: 'usr/bin/prometheus' },
  promtool: { packages: ['prometheus'], path: 'usr/bin/promtool' },
  alertmanager: { packages: ['prometheus-alertmanager'], path: 'usr/bin/prometheus-alertmanager' },
  amtool: { packages: ['prometheus-alertmanager'], path: 'usr/bin/amtool' },
  'prometheus-node-exporter': { packages: ['prometheus-node-exporter'], path: 'usr/bin/prometheus-node-exporter' },
  ss: { packages: IPROUTE, path: 'bin/ss' },
  ip: { packages: IPROUTE, path: 'bin/ip' },
  nft: {
    packages: [
      'nftables',
      'libbsd0',
      'libedit2',
      'libgmp10',
      'libjansson4',
      'libmd0',
      'libmnl0',
      'libnftables1',
      'libnftnl11',
      'libtinfo6',
      'libxtables12',
    ],
    path: 'usr/sbin/nft',
  },
  openssl: { packages: ['openssl', 'libssl3'], path: 'usr/bin/openssl' },
  python3: {
    packages: ['python3.11-minimal', 'libpython3.11-minimal', 'libpython3.11-stdlib', 'libexpat1', 'libffi8', 'zlib1g'],
    path: 'usr/bin/python3.11',
  },
  // As for ss; its own library is in a folder of its own.
  'systemd-analyze': {
    packages: [
      'systemd',
      'libsystemd-shared',
      'libsystemd0',
      'libacl1',
      'libapparmor1',
      'libaudit1',
      'libblkid1',
      'libcap-ng0',
      'libcap2',
      'libcrypt1',
      'libgcrypt20',
      'libgpg-error0',
      'libip4tc2',
      'libkmod2',
      'liblz4-1',
      'liblzma5',
      'libmount1',
      'libpam0g',
      'libpcre2-8-0',
      'libseccomp2',
      'libselinux1',
      'libssl3',
      'libzstd1',
    ],
    path: 'usr/bin/systemd-analyze',
    libraries: ['systemd'],
  },
} as const satisfies Record<string, ToolPackages>;

export type ToolName = keyof typeof TOOLS;

type PrometheusVersion = 2 | 3;

/** The major version of Prometheus that tests run: 2 as in Debian 12, or 3 if the environment variable PROMETHEUS_VERSION asks for it. */
export const prometheusVersion: PrometheusVersion = process.env['PROMETHEUS_VERSION'] === '3' ? 3 : 2;

/** The tools of Prometheus 3. They are Go programs, which need so little of the system that those of a later release run here too. */
const OF_PROMETHEUS_3: Partial<Record<ToolName, ToolPackages>> = {
  prometheus: { packages: ['prometheus'], path: 'usr/bin/prometheus', release: 'forky' },
  promtool: { packages: ['promtool'], path: 'usr/bin/promtool', release: 'forky' },
  alertmanager: { packages: ['prometheus-alertmanager'], path: 'usr/bin/prometheus-alertmanager', release: 'forky' },
  amtool: { packages: ['prometheus-alertmanager'], path: 'usr/bin/amtool', release: 'forky' },
};

const packagesOf = (name: ToolName, version: PrometheusVersion): ToolPackages =>
  (version === 3 ? OF_PROMETHEUS_3[name] : undefined) ?? TOOLS[name];

/** What every Debian may have already, and what is then used. */
const COMMON: readonly ToolName[] = ['ss', 'ip', 'nft', 'openssl', 'python3', 'systemd-analyze'];

const onPathOf = (name: ToolName) => (COMMON.includes(name) ? findProgram(name) : undefined);

/** A tool ready to run: a common one from the PATH where it is there, all else unpacked, so that versions are Debian's own. */
export async function debianTool(name: ToolName, version = prometheusVersion): Promise<Tool> {
  const onPath = onPathOf(name);
  return onPath === undefined ? unpackedTool(name, version) : { path: onPath, env: process.env };
}

/** What a tool prints on either stream, whatever its exit status. */
export async function toolSays(
  name: ToolName,
  args: readonly string[],
  variables: NodeJS.ProcessEnv = {},
): Promise<ToolAnswer> {
  const { path, env } = await debianTool(name);
  const options = { env: { ...env, ...variables }, maxBuffer: 16 << 20 };
  return new Promise((done) => {
    execFile(path, args, options, (_error, stdout, stderr) => done({ stdout, stderr }));
  });
}

/** Unpacks all of these tools, with one download for each release. */
export async function prepareTools(names: readonly ToolName[], version = prometheusVersion): Promise<void> {
  const tools = names.filter((name) => onPathOf(name) === undefined).map((name) => packagesOf(name, version));
  for (const [release, each] of Map.groupBy(tools, ({ release }) => release))
    await debianRoot([...new Set(each.flatMap(({ packages }) => packages))], { release });
}

/** The tool as its Debian package has it, whatever is installed; its libraries come from the unpacked packages too. */
export async function unpackedTool(name: ToolName, version = prometheusVersion): Promise<Tool> {
  const { packages, path, release, libraries: own = [] } = packagesOf(name, version);
  const root = await debianRoot(packages, { release });
  const folders = await libraryFolders(root);
  const libraries = [...folders, ...folders.flatMap((folder) => own.map((each) => join(folder, each)))];
  return {
    path: join(root, path),
    env: libraries.length === 0 ? process.env : { ...process.env, LD_LIBRARY_PATH: libraries.join(':') },
  };
}

interface RootOptions {
  /** The release of Debian, if it is not the machine's own. */
  release?: string | undefined;
  /** The folder below `.cache/debian`, for packages that must not lie beside the tools. */
  name?: string;
}

/** Scripts, styles and fonts that the web pages of Debian's Prometheus 2 load. */
const WEB_PAGES = [
  'fonts-glyphicons-halflings',
  'libjs-bootstrap4',
  'libjs-d3',
  'libjs-eonasdan-bootstrap-datetimepicker',
  'libjs-jquery',
  'libjs-jquery-hotkeys',
  'libjs-moment',
  'libjs-moment-timezone',
  'libjs-mustache',
  'libjs-popper.js',
  'libjs-rickshaw',
] as const;

/** Unpacks what the web pages of Prometheus load. They work in a Prometheus that runs `asInstalled`. */
export async function prepareWebPages(): Promise<void> {
  await debianRoot(WEB_PAGES);
}

/** The command line of an unpacked program in usr/bin that sees the unpacked usr/share as /usr/share. */
export const asInstalled = (path: string): readonly string[] => {
  const share = join(dirname(path), '../share');
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];
  const overlay = `mount -t overlay overlay -o 'lowerdir=${share}:/usr/share' /usr/share && exec "$0" "$@"`;
  return ['unshare', ...namespace, 'sh', '-c', overlay, path];
};

/** Makes sure that these Debian packages, and none that they depend on, are unpacked; returns the folder they are in. */
export async function debianRoot(
  packages: readonly string[],
  { release, name = release ?? 'root' }: RootOptions = {},
): Promise<string> {
  const root = join(CACHE, name);
  const stamps = join(CACHE, 'unpacked', name);
  const missing = () => packages.filter((each) => !existsSync(join(stamps, each)));
  if (missing().length > 0) {
    await mkdir(stamps, { recursive: true });
    await withDirectoryLock(join(CACHE, 'lock'), 2 * COMMAND_TIMEOUT_MS, async () => {
      const wanted = missing();
      if (wanted.length > 0) await unpack(wanted, root, stamps, release);
    });
  }
  return root;
}

async function unpack(
  packages: readonly string[],
  root: string,
  stamps: string,
  release: string | undefined,
): Promise<void> {
  const downloads = join(CACHE, `download-${randomUUID()}`);
  await mkdir(downloads, { recursive: true });
  await mkdir(root, { recursive: true });
  try {
    if (release === undefined) await download(packages, downloads);
    else await downloadOf(release, packages, downloads);
    const files = await readdir(downloads);
    for (const name of packages) {
      const file = files.find((each) => each.startsWith(`${name}_`) && each.endsWith('.deb'));
      if (file === undefined)
        throw new Error(`apt-get download ${name} left no ${name}_*.deb, but: ${files.join(' ')}`);
      await run('dpkg', ['-x', join(downloads, file), root], downloads);
      // Written last: a package without it is unpacked again.
      await writeFile(join(stamps, name), `${file}\n`);
    }
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

// Root's downloads are else written by the user _apt, who may not be able to reach the project folder.
const AS_ROOT = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];

/** Downloads with the machine's package lists or, where those are missing or too old, with private ones. */
async function download(packages: readonly string[], folder: string): Promise<void> {
  try {
    await run('apt-get', [...AS_ROOT, 'download', ...packages], folder);
  } catch (firstError) {
    try {
      await downloadWithLists('own', [], packages, folder);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nbefore that: ${(firstError as Error).message}`, { cause: error });
    }
  }
}

/** Downloads from another release of Debian, on the mirror that this machine's apt uses for its own. */
async function downloadOf(release: string, packages: readonly string[], folder: string): Promise<void> {
  const format = '$(CREATED_BY)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)';
  const own = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  const targets = await commandOutput('apt-get', ['indextargets', '--format', format]);
  const mirror = targets
    .split('\n')
    .map((line) => line.split('|'))
    .find(([by, suite, component]) => by === 'Packages' && suite === own && component === 'main')?.[3];
  if (mirror === undefined)
    throw new Error(`apt-get indextargets: expected a mirror with main of ${own} (has apt-get update been run?)`);
  const sources = join(folder, 'sources.list');
  await writeFile(sources, `deb [signed-by=${ARCHIVE_KEYS}] ${mirror} ${release} main\n`);
  const onlyThose = [`Dir::Etc::SourceList=${sources}`, 'Dir::Etc::SourceParts=/dev/null', 'Acquire::Languages=none'];
  await downloadWithLists(release, onlyThose, packages, folder);
}

/** Downloads with package lists of the project's own, under this name. */
async function downloadWithLists(
  name: string,
  options: readonly string[],
  packages: readonly string[],
  folder: string,
): Promise<void> {
  const lists = join(CACHE, 'apt', name, 'lists');
  const cache = join(CACHE, 'apt', name, 'cache');
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives/partial'), { recursive: true });
  const all = [`Dir::State::lists=${lists}/`, `Dir::Cache=${cache}/`, ...options].flatMap((each) => ['-o', each]);
  await run('apt-get', [...AS_ROOT, ...all, 'update'], folder);
  await run('apt-get', [...AS_ROOT, ...all, 'download', ...packages], folder);
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  await commandOutput(command, args, { cwd, env: { ...process.env, LC_ALL: 'C' }, timeoutMs: COMMAND_TIMEOUT_MS });
}

async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const parent of [join(root, 'lib'), join(root, 'usr/lib')]) {
    if (!existsSync(parent)) continue;
    const names = await readdir(parent);
    folders.push(...names.filter((name) => name.includes('-linux-gnu')).map((name) => join(parent, name)));
  }
  return folders;
}
