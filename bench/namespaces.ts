// Measures the cost of reading listeners of other network namespaces: a sample, a scrape and a search for namespaces,
// and the sampling rate within the sampler's budget.
//
//   npm run --silent build && sudo node bench/namespaces.ts [--namespaces=1,10,100] [--listeners=3] [--rounds=200]
//   [--seconds=20]
//
// Aim: all costs grow no faster than the number of namespaces.
import { spawn, type ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { listeners } from '../src/collectors/listeners/listeners.ts';
import { NetworkNamespaces } from '../src/sources/namespaces/network-namespaces.ts';
import { tcp } from '../src/collectors/tcp.ts';
import { livePaths, localHost } from '../src/host/local-host.ts';
import { collectFamilies, createCollector } from '../tools/lib/collect.ts';
import { startDaemon } from '../tools/lib/daemon.ts';
import { TcpServer } from '../tools/lib/tcp-server.ts';
import { until } from '../tools/lib/until.ts';
import { printTable, samplerOf, timesOf } from './support.ts';

const { values: flags } = parseArgs({
  options: {
    namespaces: { type: 'string', default: '1,10,100' },
    listeners: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);

const namespaceOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`);

/** Namespaces with listeners and a sleeping process each, until disposed of. */
class Namespaces implements AsyncDisposable {
  readonly #sleepers: ChildProcess[] = [];
  readonly #server: TcpServer;

  private constructor(server: TcpServer) {
    this.#server = server;
  }

  static async make(count: number, listenersInEach: number): Promise<Namespaces> {
    const made = new Namespaces(await TcpServer.start());
    for (let begun = 0; begun < count; begun += 1) await made.#add(listenersInEach);
    return made;
  }

  async #add(listenersInEach: number): Promise<void> {
    await this.#server.moveToNewNamespace();
    for (let opened = 0; opened < listenersInEach; opened += 1) {
      await this.#server.listen({ host: '0.0.0.0', backlog: 128 });
    }
    const sleeper = spawn('nsenter', [`--target=${this.#server.pid}`, '--net', 'sleep', 'infinity']);
    this.#sleepers.push(sleeper);
    const wanted = namespaceOf(this.#server.pid);
    await until('a process in the namespace', () => namespaceOf(sleeper.pid!) === wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sleeper of this.#sleepers) sleeper.kill();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Mean CPU time of `work` in this process, in milliseconds, which other processes do not disturb. */
const cpuOf = async (work: () => unknown): Promise<number> => {
  await timesOf(work, rounds / 4);
  const before = process.cpuUsage();
  await timesOf(work, rounds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rounds / 1e3;
};

/** CPU time of a sample, a scrape and a search, in milliseconds. */
const measureParts = async () => {
  const host = await localHost(livePaths);
  const namespaces = new NetworkNamespaces(host, { scope: 'all', intervalSeconds: 5, most: 10_000 });
  const look = (): Promise<void> => namespaces.background[0]!.run();
  await look();
  const [queues, counters] = [listeners, tcp].map((definition) =>
    createCollector(definition, host, {}, { namespaces }),
  );
  const ways = {
    // A sample of all namespaces, as if something moved in each.
    sample: () => queues!.sampler!.sample(1),
    listeners: () => collectFamilies(queues!, host),
    tcp: () => collectFamilies(counters!, host),
    look,
  };
  const costs = {
    sample: await cpuOf(ways.sample),
    listeners: await cpuOf(ways.listeners),
    tcp: await cpuOf(ways.tcp),
    look: await cpuOf(ways.look),
  };
  namespaces.close();
  host.netlink.close();
  return costs;
};

/** Samples per second, and their share of a core in percent. */
const measureSampler = async () => {
  await using daemon = await startDaemon({
    settings: { 'collector.listeners.namespaces': 'all', 'collector.listeners.max-namespaces': 10_000 },
  });
  // Time for Node to compile hot code.
  await delay(10_000);
  const before = await samplerOf(daemon);
  const begin = performance.now();
  await delay(seconds * 1e3);
  const after = await samplerOf(daemon);
  const elapsed = (performance.now() - begin) / 1e3;
  return {
    perSecond: (after.samples - before.samples) / elapsed,
    share: ((after.cpuSeconds - before.cpuSeconds) / elapsed) * 100,
  };
};

const rows: (string | number)[][] = [];
for (const count of flags.namespaces.split(',').map(Number)) {
  await using _namespaces = await Namespaces.make(count, Number(flags.listeners));
  const { sample, listeners, tcp, look } = await measureParts();
  const { perSecond, share } = await measureSampler();
  rows.push([String(count), sample, listeners, tcp, look, perSecond, share]);
}
printTable([
  [
    'other namespaces',
    'sample, CPU ms',
    'scrape of listeners, CPU ms',
    'scrape of tcp, CPU ms',
    'look, CPU ms',
    'samples a second',
    'sampler, % of a core',
  ],
  ...rows,
]);
