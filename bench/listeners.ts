// Measures one sample of the accept queues with few and with many established connections, beside the other ways to
// get the same numbers. bench/sampler.ts measures the sampler.
//
//   npm run --silent build && npx node bench/listeners.ts [--connections=20000] [--rounds=1000]
//
// Aim: many connections make a sample at most 1.5 times as dear.
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import { debianTool } from '../tools/lib/debian.ts';
import { keepEstablished } from '../tools/lib/tcp-clients.ts';
import { AcceptQueues } from '../src/collectors/listeners/accept-queues.ts';
import { netlinkSource } from '../src/collectors/listeners/netlink-source.ts';
import { procSource } from '../src/collectors/listeners/proc-source.ts';
import type { ListenerSource } from '../src/collectors/listeners/source.ts';
import { uncounted } from '../src/sources/parsed.ts';
import { livePaths, localHost } from '../src/host/local-host.ts';
import { printTable, quantile, timesOf } from './support.ts';

const { values: flags } = parseArgs({
  options: {
    connections: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '1000' },
  },
});
const connections = Number(flags.connections);
const rounds = Number(flags.rounds);
const hertz = 20;

/** Medians, in milliseconds, of each way to read the accept queues of this moment. */
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
    // One way after another: walks of the connection table drive the rest out of the processor's caches.
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
