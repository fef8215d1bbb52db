// What it costs to sample the accept queues in a guest that idles, and how many samples a busy one gets: each number
// beside its aim.
//
//   npm run --silent build && node bench/sampler.ts [--seconds=20] [--settle=25]
//
// CPU time is that of all threads of the daemon while nobody scrapes it. The machine must be idle: other work makes
// wake-ups dearer, and connections of other programs in the same network namespace keep the sampler at its full rate.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from '../tools/lib/daemon.ts';
import { connectSteadily } from '../tools/lib/tcp-clients.ts';
import { TcpServer } from '../tools/lib/tcp-server.ts';
import { Connection, exactCpuSecondsOf, printTable, samplerOf } from './support.ts';

const { values: flags } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, settle: { type: 'string', default: '25' } },
});
const seconds = Number(flags.seconds);
const settleSeconds = Number(flags.settle);
const connectionsPerSecond = 50;
const hertz = 20;

/** Share of a core, in percent, that the daemon takes, and the samples that it takes meanwhile. */
const measure = async (daemon: Daemon) => {
  // One connection for all: each new one would make the sampler watch closely.
  using connection = new Connection(daemon.url);
  await samplerOf(connection);
  // Time for Node to compile what runs often, and for the sampler to slow down.
  await delay(settleSeconds * 1e3);
  const before = await samplerOf(connection);
  const cpuBefore = exactCpuSecondsOf(daemon.pid);
  const begin = performance.now();
  await delay(seconds * 1e3);
  const cpu = exactCpuSecondsOf(daemon.pid) - cpuBefore;
  const elapsed = (performance.now() - begin) / 1e3;
  const after = await samplerOf(connection);
  return {
    share: (cpu / elapsed) * 100,
    samples: ((after.samples - before.samples) / elapsed) * seconds,
    sampler: ((after.cpuSeconds - before.cpuSeconds) / elapsed) * 100,
  };
};

const measureIdle = async () => {
  await using daemon = await startDaemon();
  return await measure(daemon);
};

/** With so many listeners, of which one has a server that accepts connections soon after they come. */
const measureBusy = async (listeners: number) => {
  await using server = await TcpServer.start();
  const first = await server.listen({ backlog: 128 });
  for (let opened = 1; opened < listeners; opened += 1) await server.listen({ backlog: 128 });
  await server.drain(first.id, { intervalMs: 5 });
  await using daemon = await startDaemon();
  const clients = connectSteadily({
    port: first.port,
    perSecond: connectionsPerSecond,
    seconds: settleSeconds + seconds + 10,
  });
  const measured = await measure(daemon);
  await clients;
  return measured;
};

const idle = await measureIdle();
const few = await measureBusy(5);
const many = await measureBusy(500);
const full = seconds * hertz;
const least = (wanted: number): string => `at least ${Math.round((wanted / 400) * full)}`;
const most = (percent: number): string => `at most ${percent}`;
console.log(`${seconds} s each, default flags; busy: ${connectionsPerSecond} connections a second\n`);
printTable([
  ['', `samples of ${full}`, 'aim', 'whole process, % of a core', 'aim', 'of it by the sampler, %'],
  ['idle guest', String(Math.round(idle.samples)), '', idle.share, most(0.2), idle.sampler],
  ['5 listeners, busy', String(Math.round(few.samples)), least(380), few.share, most(1), few.sampler],
  ['500 listeners, busy', String(Math.round(many.samples)), least(300), many.share, most(1.2), many.sampler],
]);
