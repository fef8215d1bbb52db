// Measures the cost of a scrape next to Debian's prometheus-node-exporter, which reads about the same files: latency,
// CPU, resident memory, page size. Both are scraped in turn, one request at a time, so that noise affects both alike.
//
//   npm run --silent build && npx node bench/scrape.ts [--scrapes=10000] [--idle-seconds=10]
//
// Aims: the median takes at most 0.7 times as long, no growth between the 2 000th scrape and the last, at most about 90
// MB resident.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { exitOf } from '../tools/lib/child.ts';
import { startDaemon } from '../tools/lib/daemon.ts';
import { debianTool } from '../tools/lib/debian.ts';
import {
  Connection,
  cpuSecondsOf,
  memoryOf,
  printTable,
  prometheusHeaders,
  quantile,
  samplerOf,
  type Memory,
} from './support.ts';

const { values: flags } = parseArgs({
  options: {
    scrapes: { type: 'string', default: '10000' },
    'idle-seconds': { type: 'string', default: '10' },
  },
});
const scrapes = Number(flags.scrapes);
const idleSeconds = Number(flags['idle-seconds']);
const settledAfter = Math.min(2000, scrapes / 2);

const nodeCollectors = ['netstat', 'sockstat', 'softnet', 'interrupts', 'stat', 'netdev', 'conntrack', 'schedstat'];

/** Starts node_exporter on a port assigned by the system. */
const startNodeExporter = async (): Promise<AsyncDisposable & { url: string; pid: number }> => {
  const { path, env } = await debianTool('prometheus-node-exporter');
  const args = [
    '--web.listen-address=127.0.0.1:0',
    '--collector.disable-defaults',
    ...nodeCollectors.map((name) => `--collector.${name}`),
  ];
  const child = spawn(path, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = exitOf(child);
  await once(child, 'spawn');
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  for await (const line of createInterface(child.stderr)) {
    const port = /Listening on.*127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    return { url: `http://127.0.0.1:${port}`, pid: child.pid!, [Symbol.asyncDispose]: stop };
  }
  await stop();
  throw new Error(`${path} ended before it listened`);
};

/** One exporter with its measurements. */
class Contender {
  readonly name: string;
  readonly pid: number;
  readonly milliseconds: number[] = [];
  readonly memory: Memory[] = [];
  readonly cpu: number[] = [];
  bytes = { gzip: 0, plain: 0 };
  readonly #url: string;

  constructor(name: string, { url, pid }: { url: string; pid: number }) {
    this.name = name;
    this.pid = pid;
    this.#url = url;
  }

  connect(): Connection {
    return new Connection(this.#url, prometheusHeaders);
  }

  async measureSizes(): Promise<void> {
    using plain = new Connection(this.#url, { Accept: prometheusHeaders.Accept });
    using gzip = this.connect();
    this.bytes = { plain: (await plain.get('/metrics')).bytes, gzip: (await gzip.get('/metrics')).bytes };
  }

  note(): void {
    this.memory.push(memoryOf(this.pid));
    this.cpu.push(cpuSecondsOf(this.pid));
  }
}

// The environment of npm start and of the units.
await using daemon = await startDaemon({ env: { MALLOC_ARENA_MAX: '1' } });
await using nodeExporter = await startNodeExporter();
const ours = new Contender('xen-exporter', daemon);
const theirs = new Contender('node_exporter', nodeExporter);
const both = [ours, theirs];
const samplerCpu = async () => (await samplerOf(daemon)).cpuSeconds;

await samplerCpu();
for (const each of both) each.note();
const samplerBefore = await samplerCpu();
await delay(idleSeconds * 1e3);
const samplerIdle = (await samplerCpu()) - samplerBefore;
for (const each of both) each.note();

using ourConnection = ours.connect();
using theirConnection = theirs.connect();
const scrapeBoth = async (count: number): Promise<void> => {
  for (let scrape = 0; scrape < count; scrape += 1) {
    ours.milliseconds.push((await ourConnection.get('/metrics')).milliseconds);
    theirs.milliseconds.push((await theirConnection.get('/metrics')).milliseconds);
  }
  for (const each of both) each.note();
};
await scrapeBoth(settledAfter);
const samplerSettled = await samplerCpu();
const settledAt = performance.now();
await scrapeBoth(scrapes - settledAfter);
const measuredSeconds = (performance.now() - settledAt) / 1e3;
const samplerBusy = (await samplerCpu()) - samplerSettled;
for (const each of both) await each.measureSizes();

// Without the first scrapes, which run while Node compiles.
const compare = (unit: string, of: (each: Contender) => number) => [unit, of(ours), of(theirs), of(ours) / of(theirs)];
const settled = ({ milliseconds }: Contender): number[] => milliseconds.slice(settledAfter);
const cpuPerThousand = ({ cpu }: Contender): number => ((cpu[3]! - cpu[2]!) / (scrapes - settledAfter)) * 1e3;

console.log(`${scrapes} scrapes each in turn, the first ${settledAfter} not in latency and CPU\n`);
printTable([
  ['', ours.name, theirs.name, 'ratio'],
  compare('latency p50, ms', (each) => quantile(settled(each), 0.5)),
  compare('latency p95, ms', (each) => quantile(settled(each), 0.95)),
  compare('CPU per 1 000 scrapes, s', cpuPerThousand),
  compare('CPU while idle, % of a core', ({ cpu }) => ((cpu[1]! - cpu[0]!) / idleSeconds) * 100),
  compare('page, bytes', ({ bytes }) => bytes.plain),
  compare('page with gzip, bytes', ({ bytes }) => bytes.gzip),
]);
const memoryRow = (when: string, i: number) => {
  const cell = ({ memory }: Contender) => `${memory[i]!.rssMB.toFixed(1)} (${memory[i]!.anonymousMB.toFixed(1)})`;
  return [when, cell(ours), cell(theirs), ours.memory[i]!.rssMB / theirs.memory[i]!.rssMB];
};
printTable([
  ['RSS (of it anonymous), MB', ours.name, theirs.name, 'ratio'],
  memoryRow('after start', 0),
  memoryRow(`after ${idleSeconds} s idle`, 1),
  memoryRow(`after ${settledAfter} scrapes`, 2),
  memoryRow(`after ${scrapes} scrapes`, 3),
]);
const share = (seconds: number, of: number): string => `${((seconds / of) * 100).toFixed(2)} % of a core`;
console.log(`Sampler: idle ${share(samplerIdle, idleSeconds)}, while scraped ${share(samplerBusy, measuredSeconds)}`);
