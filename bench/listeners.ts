// Measures the cost of sampling accept queues: a sample with few and with many established connections, compared with
// other ways to get the same numbers, and the sampler's share of a core.
//
//   npm run --silent build && npx node bench/listeners.ts [--connections=20000] [--rounds=1000] [--seconds=20]
//
// Aim: many connections make a sample at most 1.5 times as expensive.
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { startDaemon } from '../tools/lib/daemon.ts';
import { debianTool } from '../tools/lib/debian.ts';
import { keepEstablished } from '../tools/lib/tcp-clients.ts';
import { TcpServer } from '../tools/lib/tcp-server.ts';
import { AcceptQueues } from '../src/collectors/listeners/accept-queues.ts';
import { netlinkSource } from '../src/collectors/listeners/netlink-source.ts';
import { procSource } from '../src/collectors/listeners/proc-source.ts';
import type { ListenerSource } from '../src/collectors/listeners/source.ts';
import { uncounted } from '../src/sources/parsed.ts';
import { livePaths, localHost } from '../src/host/local-host.ts';
import { cpuSecondsOf, printTable, quantile, samplerOf, timesOf } from './support.ts';

const { values: flags } = parseArgs({
  options: {
    connections: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
  },
});
const connections = Number(flags.connections);
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const hertz = 20;

/** Listens on this number of ports until disposed of. */
const listenOn = async (count: number): Promise<TcpServer> => {
  const server = await TcpServer.start();
  for (let opened = 0; opened < count; opened += 1) await server.listen({ backlog: 128 });
  return server;
};

/** Median duration in milliseconds of each way to read the accept queues. */
const measureWays = async () => {
  const host = await localHost(livePaths);
  const { path, env } = await debianTool('ss');
  const run = promisify(execFile);
  const weight = { seconds: 1 / hertz, observations: 1 };
  const sampleFrom = (source: ListenerSource) => {
    const queues = new AcceptQueues();
    return () => queues.sample(source.read(host, uncounted), host.clock.monotonicSeconds(), () => weight);
  };
  const netlink = netlinkSource();
  const ways = {
    netlink: sampleFrom(netlink),
    proc: sampleFrom(procSource(host, 'it is measured')),
    synQueues: () => netlink.readSynReceived!(host, ['ipv4', 'ipv6']),
    ss: () => run(path, ['-H', '-ltnem'], { env }),
  };
  try {
    // In sequence: walks of the connection table evict other data from the CPU's caches.
    await timesOf(ways.netlink, rounds);
    return {
      netlink: quantile(await timesOf(ways.netlink, 5 * rounds), 0.5),
      proc: quantile(await timesOf(ways.proc, rounds / 5), 0.5),
      synQueues: quantile(await timesOf(ways.synQueues, rounds / 5), 0.5),
      ss: quantile(await timesOf(ways.ss, rounds / 20), 0.5),
    };
  } finally {
    host.netlink.close();
  }
};

/** Shares of a core, in percent, of the sampler and of the whole daemon without scrapes. */
const measureShares = async () => {
  await using daemon = await startDaemon({ args: [`--collector.listeners.sampler-hertz=${hertz}`] });
  // Time for Node to compile hot code.
  await delay(10_000);
  const before = await samplerOf(daemon);
  const cpuBefore = cpuSecondsOf(daemon.pid);
  const begin = performance.now();
  await delay(seconds * 1e3);
  const cpu = cpuSecondsOf(daemon.pid) - cpuBefore;
  const after = await samplerOf(daemon);
  const elapsed = (performance.now() - begin) / 1e3;
  return {
    samples: after.samples - before.samples,
    skipped: after.skipped - before.skipped,
    sampler: ((after.cpuSeconds - before.cpuSeconds) / elapsed) * 100,
    process: (cpu / elapsed) * 100,
  };
};

const few = await measureWays();
const kept = await keepEstablished(connections);
const many = await measureWays().finally(() => kept[Symbol.asyncDispose]());

const heads = {
  netlink: 'sample by netlink',
  proc: 'sample from /proc/net/tcp{,6}',
  ss: 'ss -H -ltnem, spawned',
  synQueues: 'SYN queues by netlink (scrapes only)',
};
printTable([
  ['median, ms', 'no connections', `${connections} connections`, 'ratio', 'of netlink'],
  ...Object.entries(heads).map(([way, head]) => {
    const key = way as keyof typeof heads;
    return [head, few[key], many[key], many[key] / few[key], many[key] / many.netlink];
  }),
]);

const rows: (string | number)[][] = [];
for (const listeners of [5, 500]) {
  await using _server = await listenOn(listeners);
  const { samples, skipped, sampler, process } = await measureShares();
  rows.push([`${listeners} listeners`, String(samples), String(skipped), sampler, process]);
}
printTable([
  [`${hertz} Hz for ${seconds} s`, 'samples', 'skipped', 'sampler, % of a core', 'whole process, % of a core'],
  ...rows,
]);
