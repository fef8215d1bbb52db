import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseExposition, type Exposition } from '../../tools/lib/exposition.ts';
import { until } from '../../tools/lib/until.ts';
import { commandOutput } from '../../tools/lib/command.ts';
import { configText } from '../../tools/lib/config-file.ts';
import { CACHE } from './image.ts';
import { EXPORTER_PORT } from './lab.ts';
import type { Machine } from './machine.ts';
import { project } from '../../tools/lib/project.ts';

/** Where it is installed, in Dom0 and in guests. */
export const EXPORTER_FOLDER = '/opt/xen-exporter';
/** In Dom0 and in guests. */
export const EXPORTER_PID_FILE = '/run/lab/exporter.pid';

/** Packs the built exporter with the packages that it needs, as an installation has it; Node is in the lab's image. */
export async function packExporter(): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const archive = join(CACHE, 'exporter.tar.gz');
  const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const needed = Object.entries(packages)
    .filter(
      ([path, { dev, devOptional }]) =>
        path !== '' && dev !== true && devOptional !== true && !path.includes('/node-linux-'),
    )
    .map(([path]) => path)
    .filter((path) => existsSync(join(project, path)));
  // Packages that were made lie there too.
  const others = ['dist/package', 'dist/xen-exporter*'].map((path) => `--exclude=${path}`);
  await commandOutput('tar', ['-czf', archive, ...others, '-C', project, 'dist', 'package.json', ...needed]);
  return archive;
}

/** Installs and starts the exporter in the place of any other, which is ended. */
export async function installExporter(machine: Machine, archive: string, options: StartOptions = {}): Promise<void> {
  await stopExporter(machine);
  await machine.unpack(archive, EXPORTER_FOLDER);
  await startExporter(machine, options);
}

/** How the exporter is started. */
export interface StartOptions {
  flags?: string;
  /** Settings that have no flag, by their dotted names. */
  settings?: Readonly<Record<string, unknown>>;
  /** A command that runs the command behind it in its own way. */
  through?: string;
  /** Default: what was built, which `installExporter` installs. */
  program?: string;
}

/** Starts the exporter. Its process id is in `pidFile`. */
export async function startProgram(
  machine: Machine,
  pidFile: string,
  { flags = '', settings, through = '', program = `node ${EXPORTER_FOLDER}/dist/main.js` }: StartOptions,
): Promise<void> {
  const file = `${pidFile}.yml`;
  if (settings) await machine.run(`cat >${file} <<'END'\n${configText(settings)}\nEND`);
  const args = settings ? `${flags} --config.file=${file}` : flags;
  const command = `MALLOC_ARENA_MAX=1 exec ${through} ${program} ${args}`;
  await machine.run(`setsid sh -c 'echo $$ >${pidFile}; ${command}' </dev/null >/dev/null 2>>/run/lab/exporter.log &`);
}

/** Starts the exporter and waits until it can be scraped through the forwarded port. */
export async function startExporter(machine: Machine, { flags = '', ...options }: StartOptions = {}): Promise<void> {
  await startProgram(machine, EXPORTER_PID_FILE, {
    ...options,
    flags: `--web.listen-address=:${EXPORTER_PORT} ${flags}`,
  });
  await until(`the exporter in ${machine.name}`, () => isReady(machine), { timeoutMs: 180_000, intervalMs: 200 });
}

/** Ends the exporter, if it was started, by this signal and waits until it has. */
export const stopExporter = (machine: Machine, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> =>
  stopProgram(machine, EXPORTER_PID_FILE, signal);

/** As `stopExporter`, for what `startProgram` started. */
export async function stopProgram(machine: Machine, pidFile: string, signal: NodeJS.Signals): Promise<void> {
  await machine.run(`[ -e ${pidFile} ] || exit 0
    pid=$(cat ${pidFile})
    kill -${signal.slice(3)} $pid
    while kill -0 $pid 2>/dev/null; do sleep 0.2; done
    rm ${pidFile}`);
}

/** Scrapes a machine once, as a Prometheus that waits so long; throws unless the whole answer is there by then. */
export async function metricsOf({ name, exporterPort }: Machine, timeoutSeconds = 20): Promise<Exposition> {
  const response = await fetch(`http://127.0.0.1:${exporterPort}/metrics`, {
    headers: { 'X-Prometheus-Scrape-Timeout-Seconds': String(timeoutSeconds) },
    signal: AbortSignal.timeout(timeoutSeconds * 1000),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${name} answered ${response.status}: ${body}`);
  return parseExposition(body);
}

async function isReady({ exporterPort }: Machine): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${exporterPort}/-/ready`, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
