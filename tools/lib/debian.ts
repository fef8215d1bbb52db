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
  /** Debian release, if not this machine's. */
  release?: string;
  /** Library folders in addition to Debian's. */
  libraries?: readonly string[];
}
/** All libraries of ss and ip on Debian 12 (ldd) except libc6, so that results do not depend on the machine. */
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

/** Packages of each tool and its libraries, and its path inside them. */
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
  // Like ss, but its own library is in a separate folder.
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

/**
 * Major version of Prometheus in tests: 2 as in Debian 12, or 3 if the environment variable PROMETHEUS_VERSION is 3.
 */
export const prometheusVersion: PrometheusVersion = process.env['PROMETHEUS_VERSION'] === '3' ? 3 : 2;

/**
 * The tools of Prometheus 3. They are Go programs with few system dependencies, so a later release's packages run here
 * too.
 */
const OF_PROMETHEUS_3: Partial<Record<ToolName, ToolPackages>> = {
  prometheus: { packages: ['prometheus'], path: 'usr/bin/prometheus', release: 'forky' },
  promtool: { packages: ['promtool'], path: 'usr/bin/promtool', release: 'forky' },
  alertmanager: { packages: ['prometheus-alertmanager'], path: 'usr/bin/prometheus-alertmanager', release: 'forky' },
  amtool: { packages: ['prometheus-alertmanager'], path: 'usr/bin/amtool', release: 'forky' },
};

const packagesOf = (name: ToolName, version: PrometheusVersion): ToolPackages =>
  (version === 3 ? OF_PROMETHEUS_3[name] : undefined) ?? TOOLS[name];

/** Tools that any Debian may already have. An installed tool is used. */
const COMMON: readonly ToolName[] = ['ss', 'ip', 'nft', 'openssl', 'python3', 'systemd-analyze'];

const onPathOf = (name: ToolName) => (COMMON.includes(name) ? findProgram(name) : undefined);

/** Returns a tool ready to run: a common tool from the PATH if present, otherwise unpacked from Debian. */
export async function debianTool(name: ToolName, version = prometheusVersion): Promise<Tool> {
  const onPath = onPathOf(name);
  return onPath === undefined ? unpackedTool(name, version) : { path: onPath, env: process.env };
}

/** Output of a tool on both streams, for any exit status. */
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

/** Unpacks all of these tools with one download per release. */
export async function prepareTools(names: readonly ToolName[], version = prometheusVersion): Promise<void> {
  const tools = names.filter((name) => onPathOf(name) === undefined).map((name) => packagesOf(name, version));
  for (const [release, each] of Map.groupBy(tools, ({ release }) => release))
    await debianRoot([...new Set(each.flatMap(({ packages }) => packages))], { release });
}

/** The tool and its libraries from Debian's packages, regardless of what is installed. */
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
  /** Debian release, if not this machine's. */
  release?: string | undefined;
  /** Folder below `.cache/debian`, for packages that must be kept apart from the tools. */
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

/**
 * Makes sure that these Debian packages, and none that they depend on, are unpacked; returns the folder they are in.
 */
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
      // Written last, so that an interrupted package is unpacked again.
      await writeFile(join(stamps, name), `${file}\n`);
    }
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

// Otherwise root's downloads run as the user _apt, which may lack access to the project folder.
const AS_ROOT = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];

/** Downloads with the machine's package lists, or with private ones if those are missing or outdated. */
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

/** Downloads from another Debian release, on the mirror that this machine's apt uses. */
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

/** Downloads with private package lists, stored under this name. */
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
