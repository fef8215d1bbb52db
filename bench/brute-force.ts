// What guessing passwords costs a client that has the right one: 200 scrapes a second with wrong passwords, each on a connection of its own, while
// the good client scrapes on its own, kept connection. First without the others, then with them, in one run.
//
//   npm run --silent build && npx node bench/brute-force.ts [--seconds=30] [--rate=200] [--cost=10] [--same-address]
//
// Aim: the 95th percentile of the good client's scrape is at most 3 times its quiet value.
import { hashSync } from 'bcrypt';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from '../tools/lib/daemon.ts';
import { basicAuth } from '../tools/lib/web-client.ts';
import { Connection, cpuSecondsOf, memoryOf, printTable, prometheusHeaders, quantile } from './support.ts';

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '200' },
    cost: { type: 'string', default: '10' },
    'same-address': { type: 'boolean', default: false },
  },
});
const seconds = Number(flags.seconds);
const rate = Number(flags.rate);
const aim = 3;
// A client of Prometheus's kind, but a busy one: a quantile needs many scrapes.
const goodIntervalMs = 50;

const folder = mkdtempSync(join(tmpdir(), 'xen-exporter-bench-'));
const configFile = join(folder, 'web.yml');
writeFileSync(configFile, `basic_auth_users:\n  good: ${hashSync('right', Number(flags.cost))}\n`);

interface Phase {
  readonly times: readonly number[];
  readonly cpuSeconds: number;
}

const scrapeFor = async (daemon: Daemon, good: Connection): Promise<Phase> => {
  const times: number[] = [];
  const cpu = cpuSecondsOf(daemon.pid);
  for (const end = performance.now() + seconds * 1e3; performance.now() < end; await delay(goodIntervalMs)) {
    times.push((await good.get('/metrics')).milliseconds);
  }
  return { times, cpuSeconds: cpuSecondsOf(daemon.pid) - cpu };
};

/** Guesses until `stop` is called; gives the answers by status. */
const guess = (daemon: Daemon): (() => Promise<Map<string, number>>) => {
  const answers = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  let sent = 0;
  const count = (answer: string): void => void answers.set(answer, (answers.get(answer) ?? 0) + 1);
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const headers = { ...prometheusHeaders, ...basicAuth('good', `wrong ${sent}`) };
      const localAddress = flags['same-address'] ? '127.0.0.1' : `127.0.2.${1 + (sent % 100)}`;
      const options = { host: '127.0.0.1', port: daemon.port, path: '/metrics', agent: false, headers, localAddress };
      const outgoing = request(options, (response) => {
        count(String(response.statusCode));
        response.resume().once('close', resolve);
      });
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        count(error.code ?? error.message);
        resolve();
      });
      outgoing.end();
    });
  const begin = performance.now();
  const timer = setInterval(() => {
    for (const due = ((performance.now() - begin) / 1e3) * rate; sent < due; sent += 1) {
      const answer = one();
      underWay.add(answer);
      void answer.then(() => underWay.delete(answer));
    }
  }, 5);
  return async () => {
    clearInterval(timer);
    await Promise.all(underWay);
    return answers;
  };
};

const daemon = await startDaemon({ args: [`--web.config.file=${configFile}`], env: { MALLOC_ARENA_MAX: '1' } });
try {
  using good = new Connection(daemon.url, { ...prometheusHeaders, ...basicAuth('good', 'right') });
  for (let i = 0; i < 200; i += 1) await good.get('/metrics');

  const quiet = await scrapeFor(daemon, good);
  const memoryBefore = memoryOf(daemon.pid);
  const stop = guess(daemon);
  const attacked = await scrapeFor(daemon, good);
  const answers = await stop();
  const memoryAfter = memoryOf(daemon.pid);

  const row = (name: string, share: number) => {
    const [before, during] = [quantile(quiet.times, share), quantile(attacked.times, share)];
    return [name, before, during, during / before];
  };
  printTable([
    [`good client's scrape, ms`, 'quiet', `${rate}/s wrong`, 'ratio'],
    row('median', 0.5),
    row('95th percentile', 0.95),
    row('99th percentile', 0.99),
    ['scrapes', quiet.times.length, attacked.times.length, attacked.times.length / quiet.times.length],
    [
      'CPU of the exporter, s/s',
      quiet.cpuSeconds / seconds,
      attacked.cpuSeconds / seconds,
      attacked.cpuSeconds / quiet.cpuSeconds,
    ],
    ['resident memory, MB', memoryBefore.rssMB, memoryAfter.rssMB, memoryAfter.rssMB / memoryBefore.rssMB],
  ]);
  console.log(`answers to wrong passwords: ${[...answers].map(([answer, n]) => `${n} times ${answer}`).join(', ')}`);
  const ratio = quantile(attacked.times, 0.95) / quantile(quiet.times, 0.95);
  console.log(`95th percentile: ${ratio.toFixed(2)} times the quiet one; the aim is at most ${aim}`);
  if (ratio > aim) process.exitCode = 1;
} finally {
  await daemon.stop();
  rmSync(folder, { recursive: true });
}
