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

/** Installation folder in Dom0 and in guests. */
export const EXPORTER_FOLDER = '/opt/xen-exporter';
/** Pid file in Dom0 and in guests. */
export const EXPORTER_PID_FILE = '/run/lab/exporter.pid';

/** Packs the built exporter with its packages. Node is in the lab's image. */
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
  // dist may also contain built packages.
  const others = ['dist/package', 'dist/xen-exporter*'].map((path) => `--exclude=${path}`);
  await commandOutput('tar', ['-czf', archive, ...others, '-C', project, 'dist', 'package.json', ...needed]);
  return archive;
}

/** Stops any running exporter, then installs and starts this one. */
export async function installExporter(machine: Machine, archive: string, options: StartOptions = {}): Promise<void> {
  await stopExporter(machine);
  await machine.unpack(archive, EXPORTER_FOLDER);
  await startExporter(machine, options);
}

/** Options of starting the exporter. */
export interface StartOptions {
  flags?: string;
  /** Settings without a flag, by dotted name. */
  settings?: Readonly<Record<string, unknown>>;
  /** A command that runs another command. */
  through?: string;
  /** Default: the build that `installExporter` installed. */
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

/** Starts the exporter and waits until the forwarded port can be scraped. */
export async function startExporter(machine: Machine, { flags = '', ...options }: StartOptions = {}): Promise<void> {
  await startProgram(machine, EXPORTER_PID_FILE, {
    ...options,
    flags: `--web.listen-address=:${EXPORTER_PORT} ${flags}`,
  });
  await until(`the exporter in ${machine.name}`, () => isReady(machine), { timeoutMs: 180_000, intervalMs: 200 });
}

/** Stops the exporter, if it was started, with this signal and waits for its end. */
export const stopExporter = (machine: Machine, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> =>
  stopProgram(machine, EXPORTER_PID_FILE, signal);

/** Like `stopExporter`, for `startProgram`. */
export async function stopProgram(machine: Machine, pidFile: string, signal: NodeJS.Signals): Promise<void> {
  await machine.run(`[ -e ${pidFile} ] || exit 0
    pid=$(cat ${pidFile})
    kill -${signal.slice(3)} $pid
    while kill -0 $pid 2>/dev/null; do sleep 0.2; done
    rm ${pidFile}`);
}

/** Scrapes a machine once like Prometheus with this timeout. Throws unless the whole answer arrives in time. */
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
