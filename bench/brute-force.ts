// Measures what hostile clients cost a good one: the good client's scrape time and the exporter's memory under each
// attack, and for the same exporter while quiet. Each attack gets a new exporter, limited to 512 MB of memory if this
// machine allows it.
//
//   npm run --silent build && npx node bench/brute-force.ts [--seconds=10] [--rate=200] [--cost=10] [--only=TEXT]
//
// Aims in every attack: the 95th percentile of the good client's scrape is at most 3 times its quiet value, and the
// exporter has less than 250 MB resident. A client that is not remembered gets its first scrape within 10 s,
// Prometheus's scrape timeout.
import { hashSync } from 'bcrypt';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { startDaemon, type Daemon } from '../tools/lib/daemon.ts';
import { limitMemory } from '../tools/lib/memory-limit.ts';
import { basicAuth, RawClient } from '../tools/lib/web-client.ts';
import {
  Connection,
  cpuSecondsOf,
  memoryOf,
  printTable,
  prometheusHeaders,
  quantile,
  waitSecondsOf,
} from './support.ts';

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '200' },
    cost: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
  },
});
const seconds = Number(flags.seconds);
const limitMB = 512;
const aims = { ratio: 3, residentMB: 250, firstScrapeMs: 10_000 };
// A client like Prometheus, but more frequent, because a quantile needs many scrapes.
const goodIntervalMs = 50;
const newcomers = 5;

const userNames = ['good', ...Array.from({ length: 2 * newcomers }, (_, n) => `newcomer${n}`)];
/** Starts an attack. The returned function ends it and describes the answers. */
type Attack = (port: number) => () => Promise<string>;

const address = (n: number): string => `127.0.2.${1 + n}`;

/** One scrape on a new connection or one of `agent`. Resolves to its status or the error's code. */
const scrapeOnce = (
  port: number,
  localAddress: string,
  user: string,
  password: string,
  agent: Agent | false = false,
): Promise<string> =>
  new Promise((resolve) => {
    const headers = { ...prometheusHeaders, ...basicAuth(user, password) };
    const options = { host: '127.0.0.1', port, path: '/metrics', agent, headers, localAddress };
    const outgoing = request(options, (response) => {
      response.resume().once('close', () => resolve(String(response.statusCode)));
    });
    outgoing.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    outgoing.end();
  });

const describe = (answers: ReadonlyMap<string, number>): string =>
  [...answers].map(([answer, n]) => `${n} times ${answer}`).join(', ');

/** Wrong passwords at a fixed rate, each on its own connection. */
const guessAtRate =
  (addressOf: (n: number) => string): Attack =>
  (port) => {
    const answers = new Map<string, number>();
    const underWay = new Set<Promise<void>>();
    let sent = 0;
    const begin = performance.now();
    const timer = setInterval(() => {
      for (const due = ((performance.now() - begin) / 1e3) * Number(flags.rate); sent < due; sent += 1) {
        const answer = scrapeOnce(port, addressOf(sent), 'good', `wrong ${sent}`).then((status) => {
          answers.set(status, (answers.get(status) ?? 0) + 1);
          underWay.delete(answer);
        });
        underWay.add(answer);
      }
    }, 5);
    return async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      return describe(answers);
    };
  };

/** Clients at many addresses, each with more waiting passwords than its slots. */
const fillQueue =
  (addresses: number): Attack =>
  (port) => {
    const answers = new Map<string, number>();
    let isOver = false;
    const guess = async (client: number, n: number) => {
      for (let guesses = 0; !isOver; guesses += 1) {
        const status = await scrapeOnce(port, address(client), 'good', `wrong ${client} ${n} ${guesses}`);
        answers.set(status, (answers.get(status) ?? 0) + 1);
        if (status !== '401') await delay(20);
      }
    };
    const guesses = Array.from({ length: addresses * 5 }, (_, i) => guess(i % addresses, i));
    return async () => {
      isOver = true;
      await Promise.all(guesses);
      return describe(answers);
    };
  };

/** Up to 100 000 requests on each connection, each sent before the last one is answered. */
const pipeline =
  (connections: number, options: { reads: boolean; headers?: Readonly<Record<string, string>> }): Attack =>
  (port) => {
    const { reads, headers = {} } = options;
    const head = [
      'GET /metrics HTTP/1.1',
      'Host: x',
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    const blob = `${head.join('\r\n')}\r\n\r\n`.repeat(500);
    const clients: RawClient[] = [];
    let [sentBytes, isOver] = [0, false];
    const pour = async (n: number) => {
      while (!isOver) {
        const client = await RawClient.connect(port, { localAddress: address(n % 8), reads: false });
        clients[n] = client;
        if (reads) client.socket.resume();
        let blobs = 200;
        const send = () => {
          while (blobs > 0 && client.isOpen) {
            blobs -= 1;
            sentBytes += blob.length;
            if (!client.socket.write(blob)) return;
          }
        };
        client.socket.on('drain', send);
        send();
        await client.closed;
        await delay(20);
      }
    };
    for (let n = 0; n < connections; n += 1) void pour(n);
    return async () => {
      isOver = true;
      for (const client of clients) client[Symbol.dispose]();
      return Promise.resolve(`${(sentBytes / 1e6).toFixed(1)} MB of requests sent`);
    };
  };

/** Connections that send a new request after each answer. */
const askOnAndOn =
  (connections: number): Attack =>
  (port) => {
    let [isOver, answered] = [false, 0];
    const askOn = async (n: number) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      while (!isOver) {
        await scrapeOnce(port, address(n % 8), '', '', agent);
        answered += 1;
      }
      agent.destroy();
    };
    const clients = Array.from({ length: connections }, (_, n) => askOn(n));
    return async () => {
      isOver = true;
      await Promise.all(clients);
      return `${answered} requests answered`;
    };
  };

const together =
  (...attacks: readonly Attack[]): Attack =>
  (port) => {
    const ends = attacks.map((attack) => attack(port));
    return async () => (await Promise.all(ends.map((end) => end()))).join('; ');
  };

const wrong = basicAuth('good', 'wrong');
interface Spec {
  readonly attack: Attack;
  /** Whether users are set. */
  readonly isSecured?: boolean;
  /** Whether new clients arrive. Not at the attacker's address, nor if there are more attackers than slots. */
  readonly hasNewcomers?: boolean;
}

const attacks: Readonly<Record<string, Spec>> = {
  'wrong passwords from 100 addresses': {
    attack: guessAtRate((n) => address(n % 100)),
    isSecured: true,
    hasNewcomers: false,
  },
  "wrong passwords from the good client's address": {
    attack: guessAtRate(() => '127.0.0.1'),
    isSecured: true,
    hasNewcomers: false,
  },
  'guessers at 8 addresses': { attack: fillQueue(8), isSecured: true },
  'one connection pipelines and does not read': { attack: pipeline(1, { reads: false }) },
  'one connection pipelines and reads': { attack: pipeline(1, { reads: true }) },
  '100 connections pipeline and do not read': { attack: pipeline(100, { reads: false }) },
  '100 connections pipeline and read': { attack: pipeline(100, { reads: true }) },
  '100 connections send a request after each answer': { attack: askOnAndOn(100) },
  'one connection pipelines a wrong password': {
    attack: together(fillQueue(7), pipeline(1, { reads: false, headers: wrong })),
    isSecured: true,
  },
  '100 connections pipeline a wrong password': {
    attack: together(fillQueue(7), pipeline(100, { reads: false, headers: wrong })),
    isSecured: true,
  },
};

interface Phase {
  /**
   * In milliseconds, without the time that exporter and client waited for a CPU: a remote attacker and other work would
   * not take it.
   */
  readonly times: readonly number[];
  readonly cpuShare: number;
  /** Share of time in which the main thread waited for a CPU that the attacker and others used. */
  readonly waitShare: number;
  /** First scrapes of clients whose passwords are not remembered. */
  readonly firstMs: readonly number[];
}

/** Time until a client gets its first scrape. It retries immediately while refused. */
const firstScrape = async (port: number, user: string): Promise<number> => {
  const begin = performance.now();
  while ((await scrapeOnce(port, '127.0.0.1', user, 'right')) !== '200') {
    if (performance.now() - begin > aims.firstScrapeMs) return Infinity;
    await delay(goodIntervalMs);
  }
  return performance.now() - begin;
};

const scrapeFor = async (daemon: Daemon, good: Connection, newUsers: readonly string[]): Promise<Phase> => {
  const times: number[] = [];
  const firstMs: number[] = [];
  const [cpu, wait] = [cpuSecondsOf(daemon.pid), waitSecondsOf(daemon.pid)];
  const first = (async () => {
    for (const user of newUsers) firstMs.push(await firstScrape(daemon.port, user));
  })();
  const begin = performance.now();
  for (; performance.now() < begin + seconds * 1e3; await delay(goodIntervalMs)) {
    const waits = waitSecondsOf(daemon.pid) + waitSecondsOf(process.pid);
    const { milliseconds } = await good.get('/metrics');
    times.push(milliseconds - (waitSecondsOf(daemon.pid) + waitSecondsOf(process.pid) - waits) * 1e3);
  }
  const elapsed = (performance.now() - begin) / 1e3;
  const cpuShare = (cpuSecondsOf(daemon.pid) - cpu) / elapsed;
  const waitShare = (waitSecondsOf(daemon.pid) - wait) / elapsed;
  await first;
  return { times, cpuShare, waitShare, firstMs };
};

const measure = async (name: string, configFile: string): Promise<boolean> => {
  const { isSecured = false, hasNewcomers = isSecured } = attacks[name]!;
  using limit = limitMemory(limitMB);
  const args = isSecured ? [`--web.config.file=${configFile}`] : [];
  const daemon = await startDaemon({ args, env: { MALLOC_ARENA_MAX: '1' }, wrapper: limit?.wrapper ?? [] });
  try {
    using good = new Connection(daemon.url, { ...prometheusHeaders, ...(isSecured && basicAuth('good', 'right')) });
    for (let i = 0; i < 200; i += 1) await good.get('/metrics');
    const users = hasNewcomers ? userNames.slice(1) : [];
    const quiet = await scrapeFor(daemon, good, users.slice(0, newcomers));
    const before = memoryOf(daemon.pid);
    const stop = startAttack(name, daemon.port);
    const attacked = await scrapeFor(daemon, good, users.slice(newcomers));
    const { peakMB } = memoryOf(daemon.pid);
    const answers = await stop();

    const row = (what: string, values: (phase: Phase) => number): [string, number, number, number] => {
      const [during, without] = [values(attacked), values(quiet)];
      return [what, without, during, during / without];
    };
    const p95 = row('95th percentile of scrapes, ms', ({ times }) => quantile(times, 0.95));
    const firsts = users.length > 0 ? [row('slowest first scrape, ms', ({ firstMs }) => Math.max(...firstMs))] : [];
    printTable([
      [`${name}${limit ? '' : ' (memory not limited)'}`, 'quiet', 'attacked', 'ratio'],
      row('median of scrapes, ms', ({ times }) => quantile(times, 0.5)),
      p95,
      ...firsts,
      row('CPU of the exporter, s/s', ({ cpuShare }) => cpuShare),
      row('its wait for a processor, s/s', ({ waitShare }) => waitShare),
      ['most resident memory, MB', before.peakMB, peakMB, peakMB / before.peakMB],
    ]);
    console.log(`${answers}\n`);
    return p95[3] <= aims.ratio && peakMB < aims.residentMB && firsts.every(([, , ms]) => ms < aims.firstScrapeMs);
  } finally {
    await daemon.stop();
  }
};

/** Attacks in a separate thread, so that the attacker does not delay the good client. */
const startAttack = (name: string, port: number): (() => Promise<string>) => {
  const worker = new Worker(new URL(import.meta.url), { workerData: { name, port }, argv: process.argv.slice(2) });
  return async () => {
    worker.postMessage('stop');
    const [answers] = (await once(worker, 'message')) as [string];
    await worker.terminate();
    return answers;
  };
};

const attackFromThread = async (): Promise<void> => {
  const { name, port } = workerData as { name: string; port: number };
  const stop = attacks[name]!.attack(port);
  await once(parentPort!, 'message');
  parentPort!.postMessage(await stop());
};

const measureAll = async (configFile: string): Promise<void> => {
  const names = Object.keys(attacks).filter((name) => name.includes(flags.only));
  const missed: string[] = [];
  for (const name of names) if (!(await measure(name, configFile))) missed.push(name);
  const within = `at most ${aims.ratio} times, less than ${aims.residentMB} MB, a first scrape within ${aims.firstScrapeMs / 1e3} s`;
  console.log(`${names.length - missed.length} of ${names.length} attacks are within the aims: ${within}`);
  if (missed.length === 0) return;
  console.log(`not: ${missed.join('; ')}`);
  process.exitCode = 1;
};

if (isMainThread) {
  const folder = mkdtempSync(join(tmpdir(), 'xen-exporter-bench-'));
  const configFile = join(folder, 'web.yml');
  const hash = hashSync('right', Number(flags.cost));
  writeFileSync(configFile, `basic_auth_users:\n${userNames.map((user) => `  ${user}: ${hash}\n`).join('')}`);
  await measureAll(configFile).finally(() => rmSync(folder, { recursive: true }));
} else {
  await attackFromThread();
}
