import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitOf, kill, stderrOf } from './child.ts';
import { asInstalled, debianTool, prepareWebPages, toolSays } from './debian.ts';
import { sampleNumber } from './exposition.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export interface PrometheusOptions {
  /** Addresses (host:port) scraped as the job `xen`. */
  targets?: readonly string[];
  /** Targets marked as hosts. */
  hosts?: readonly string[];
  /** Complete scrape configurations in Prometheus's syntax. */
  scrapeConfigs?: readonly object[];
  scrapeIntervalSeconds: number;
  /** Interval of rules. Default: the scrape interval. */
  evaluationIntervalSeconds?: number;
  /** Additional configuration, such as rule_files with absolute paths. */
  extraConfig?: Readonly<Record<string, unknown>>;
  /** Additional command-line flags. */
  flags?: readonly string[];
  /** Whether its web pages shall work, which needs `unshare`. */
  webPages?: boolean;
}

export interface QueryResult {
  metric: Record<string, string>;
  value: number;
}

export interface StoredSeries {
  labels: Record<string, string>;
  samples: [time: number, value: number][];
}

export interface ScrapeTarget {
  scrapeUrl: string;
  labels: Record<string, string>;
  health: 'up' | 'down' | 'unknown';
  lastError: string;
}

export interface Prometheus extends AsyncDisposable {
  url: string;
  /** Current value of each series of an instant vector, or of a scalar. */
  query(promql: string): Promise<QueryResult[]>;
  /** Stored samples of each series of a range vector: Unix times in seconds with values. */
  samples(promql: string, at: number): Promise<StoredSeries[]>;
  targets(): Promise<ScrapeTarget[]>;
  /** Data of any API answer by path. Throws if Prometheus refuses. */
  ask<T>(path: string): Promise<T>;
  /** Log so far. */
  log(): string;
}

const ATTEMPTS = 5;

/**
 * Starts a real Prometheus on loopback and waits until it is ready. Its first scrape follows about 5 s later
 * (discovery/manager.go).
 */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { path, env } = await debianTool('prometheus');
  if (options.webPages) await prepareWebPages();
  const [program, ...first] = options.webPages ? asInstalled(path) : [path];
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  try {
    const configFile = join(folder, 'prometheus.yml');
    await writeFile(configFile, JSON.stringify(configuration(options), null, 2));
    for (let attempt = 1; ; attempt += 1) {
      const address = `127.0.0.1:${await freePort()}`;
      const child = spawn(
        program!,
        [
          ...first,
          `--config.file=${configFile}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=${address}`,
          ...(options.flags ?? []),
        ],
        { env, stdio: ['ignore', 'ignore', 'pipe'] },
      );
      const log = stderrOf(child);
      const exited = exitOf(child);
      try {
        await once(child, 'spawn');
        await ready(`http://${address}`, child, log);
      } catch (error) {
        await kill(child, exited);
        if (attempt < ATTEMPTS && log().includes('address already in use')) continue;
        throw error;
      }
      return running(`http://${address}`, log, async () => {
        await kill(child, exited);
        await rm(folder, { recursive: true, force: true });
      });
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Runs `promtool check metrics` on an exposition: status 0 if it is clean, 3 for violations of naming rules only. */
export async function promtoolCheckMetrics(text: string): Promise<{ status: number; output: string }> {
  const { path, env } = await debianTool('promtool');
  const child = spawn(path, ['check', 'metrics'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = exitOf(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  }
  // promtool may stop reading early after errors.
  child.stdin.on('error', () => {});
  child.stdin.end(text);
  const { code, signal } = await exited;
  if (code === null) throw new Error(`promtool ended by ${signal}: ${output}`);
  return { status: code, output };
}

/** Runs `promtool check web-config`: empty for a valid file, else the errors. */
export async function promtoolCheckWebConfig(file: string): Promise<string> {
  const { stdout, stderr } = await toolSays('promtool', ['check', 'web-config', file]);
  const said = (stdout + stderr).trim();
  return said === `${file} SUCCESS` ? '' : said;
}

// JSON is YAML too.
function configuration(options: PrometheusOptions): object {
  const { targets = [], hosts = [], scrapeConfigs = [], scrapeIntervalSeconds, extraConfig } = options;
  const milliseconds = (seconds: number): string => `${Math.round(seconds * 1000)}ms`;
  const interval = milliseconds(scrapeIntervalSeconds);
  const xen = {
    job_name: 'xen',
    static_configs: [{ targets }, { targets: hosts, labels: { xen_role: 'host' } }],
  };
  return {
    global: {
      scrape_interval: interval,
      evaluation_interval: milliseconds(options.evaluationIntervalSeconds ?? scrapeIntervalSeconds),
      ...(scrapeIntervalSeconds < 10 ? { scrape_timeout: interval } : {}),
    },
    scrape_configs: [...(targets.length + hosts.length > 0 ? [xen] : []), ...scrapeConfigs],
    ...extraConfig,
  };
}

async function ready(url: string, child: ChildProcess, log: () => string): Promise<void> {
  await until(
    `Prometheus at ${url} ready`,
    async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Prometheus did not start:\n${log()}`);
      try {
        const response = await fetch(`${url}/-/ready`);
        await response.arrayBuffer();
        // Another server may have taken the port, so also check the log of ours.
        return response.ok && log().includes('Server is ready to receive web requests');
      } catch {
        return false;
      }
    },
    { timeoutMs: 20_000, intervalMs: 20 },
  );
}

/** A Prometheus that already runs and keeps running. */
export const prometheusAt = (url: string): Prometheus =>
  running(
    url,
    () => '',
    async () => {},
  );

function running(url: string, log: () => string, dispose: () => Promise<void>): Prometheus {
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(url + path);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`Prometheus, asked for ${path}: ${answer.error}`);
    return answer.data;
  };
  return {
    url,
    log,
    ask,
    async query(promql) {
      const data = await ask<VectorOrScalar>(`/api/v1/query?query=${encodeURIComponent(promql)}`);
      if (data.resultType === 'scalar') return [{ metric: {}, value: sampleNumber(data.result[1]) }];
      if (data.resultType !== 'vector') throw new Error(`expected ${promql} to give a vector, got ${data.resultType}`);
      return data.result.map(({ metric, value }) => ({ metric, value: sampleNumber(value[1]) }));
    },
    async samples(promql, at) {
      const { result } = await ask<Matrix>(`/api/v1/query?time=${at}&query=${encodeURIComponent(promql)}`);
      return result.map(({ metric, values }) => ({
        labels: metric,
        samples: values.map(([time, value]) => [time, sampleNumber(value)]),
      }));
    },
    targets: async () => (await ask<{ activeTargets: ScrapeTarget[] }>('/api/v1/targets?state=active')).activeTargets,
    [Symbol.asyncDispose]: dispose,
  };
}

type TimedValue = [time: number, value: string];

interface Matrix {
  result: { metric: Record<string, string>; values: TimedValue[] }[];
}

type VectorOrScalar =
  | { resultType: 'vector'; result: { metric: Record<string, string>; value: TimedValue }[] }
  | { resultType: 'scalar'; result: TimedValue }
  | { resultType: 'matrix' | 'string'; result: never };
