import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { exitOf, stderrOf, type Exit } from './child.ts';
import { configText } from './config-file.ts';
import { parseExposition, type Exposition } from './exposition.ts';
import { until } from './until.ts';
import { project } from './project.ts';

export interface DaemonOptions {
  args?: readonly string[];
  /** Settings of its config file by dotted name. */
  settings?: Readonly<Record<string, unknown>>;
  /** Added to this process's environment. */
  env?: NodeJS.ProcessEnv;
  /** Node program to run. Default: the built daemon. */
  main?: string;
  /** Program with its first arguments to run instead of Node. */
  command?: readonly string[];
  /** User of the process. Requires root. */
  user?: ProcessUser;
  /** A command that runs another command, such as `setpriv`. */
  wrapper?: readonly string[];
  /** File descriptors to pass as 3 and following. */
  descriptors?: readonly number[];
}

export interface ProcessUser {
  uid: number;
  gid: number;
}

export interface DaemonResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** Decompressed. */
  body: string;
  /** Bytes as received. */
  bytes: Buffer;
}

export interface Daemon extends AsyncDisposable {
  url: string;
  port: number;
  pid: number;
  /** stderr so far. */
  log(): string;
  exited: Promise<Exit>;
  /** Sends the signal and waits for the exit. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<DaemonResponse>;
  /** Scrapes /metrics with a query string such as `collect[]=tcp`. Throws unless the status is 200. */
  metrics(query?: string): Promise<Exposition>;
}

const MAIN = join(project, 'dist/main.js');

/** Starts the daemon on a loopback port assigned by the system and waits until it listens. */
export async function startDaemon({
  args = [],
  settings,
  env = {},
  main = MAIN,
  command = [process.execPath, main],
  user,
  wrapper = [],
  descriptors = [],
}: DaemonOptions = {}): Promise<Daemon> {
  const folder = settings && mkdtempSync(join(tmpdir(), 'daemon-'));
  const file = folder === undefined ? [] : [`--config.file=${join(folder, 'config.yml')}`];
  if (folder !== undefined) {
    writeFileSync(join(folder, 'config.yml'), configText(settings!), { mode: 0o644 });
    chmodSync(folder, 0o755);
  }
  const [program, ...first] = [...wrapper, ...command];
  const child = spawn(program!, [...first, '--web.listen-address=127.0.0.1:0', ...file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe', ...descriptors],
    ...user,
  });
  const log = stderrOf(child);
  const exited = exitOf(child).finally(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return exited;
  };

  let port: number;
  try {
    await once(child, 'spawn');
    port = await until(`${program} listening`, () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${program} ended`);
      return listeningPort(log());
    });
  } catch (error) {
    child.kill('SIGKILL');
    await exited.catch(() => {});
    throw new Error(`${(error as Error).message}; its log:\n${log()}`, { cause: error });
  }

  const url = `http://127.0.0.1:${port}`;
  const get: Daemon['get'] = (path, headers = {}) => fetchUnaltered(url + path, headers);
  return {
    url,
    port,
    pid: child.pid!,
    log,
    exited,
    stop,
    get,
    async metrics(query) {
      const { status, body } = await get(query === undefined ? '/metrics' : `/metrics?${query}`);
      if (status !== 200) throw new Error(`/metrics answered ${status}: ${body}`);
      return parseExposition(body);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The port in a logfmt line such as `level=info msg="Listening on" address=127.0.0.1:9100`. */
function listeningPort(log: string): number | undefined {
  const completeLines = log.split('\n').slice(0, -1);
  const line = completeLines.find((each) => each.includes('msg="Listening on"'));
  const port = line === undefined ? undefined : /\baddress="?127\.0\.0\.1:(\d+)\b/.exec(line)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** A request with only these headers, Host and Connection, on its own connection. */
async function fetchUnaltered(url: string, headers: Readonly<Record<string, string>>): Promise<DaemonResponse> {
  const outgoing = request(url, { agent: false, headers, signal: AbortSignal.timeout(20_000) });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const bytes = Buffer.concat(await response.toArray());
  const body = decompress(bytes, response.headers['content-encoding']).toString('utf8');
  return { status: response.statusCode!, headers: response.headers, body, bytes };
}

function decompress(bytes: Buffer, encoding: string | undefined): Buffer {
  switch (encoding) {
    case undefined:
    case 'identity':
      return bytes;
    case 'gzip':
      return gunzipSync(bytes);
    case 'deflate':
      return inflateSync(bytes);
    case 'br':
      return brotliDecompressSync(bytes);
    default:
      throw new Error(`unknown content encoding ${encoding}`);
  }
}
