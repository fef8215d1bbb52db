import { collectFamilies, createCollector } from '../tools/lib/collect.ts';
// Measures whether a large host's /proc/interrupts delays other work: 256 CPUs and 2 000 rows of event channels, mostly
// zeros, in a generated tree. First the collector in this process, then the daemon, scraped in a loop while a second
// connection constantly requests its health.
//
//   npm run --silent build && npx node bench/interrupts.ts [--cpus=256] [--rows=2000] [--scrapes=100]
//
// Aims: a reading takes less than 40 ms, no turn of the event loop more than 50 ms.
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fileFlags } from '../tools/lib/copied-host.ts';
import { startDaemon } from '../tools/lib/daemon.ts';
import { interrupts } from '../src/collectors/interrupts.ts';
import { localHost } from '../src/host/local-host.ts';
import { encode } from '../src/metrics/exposition.ts';
import { Connection, printTable, prometheusHeaders, quantile } from './support.ts';

const { values: flags } = parseArgs({
  options: {
    cpus: { type: 'string', default: '256' },
    rows: { type: 'string', default: '2000' },
    scrapes: { type: 'string', default: '100' },
  },
});
const cpus = Number(flags.cpus);
const rows = Number(flags.rows);
const scrapes = Number(flags.scrapes);
const warmUp = 10;

/**
 * Purpose of a row's event channel: first those of each CPU, then those of a Dom0's domains, with the queues of four
 * vifs and a disk each.
 */
const nameOf = (row: number): string => {
  const perCpu = ['timer', 'resched', 'callfunc', 'callfuncsingle', 'irqwork'] as const;
  const kind = perCpu[Math.floor(row / cpus)];
  if (kind === 'timer') return `xen-percpu    -virq      ${kind}${row % cpus}`;
  if (kind !== undefined) return `xen-percpu    -ipi       ${kind}${row % cpus}`;
  const domain = 1 + Math.floor(row / 9);
  const queue = Math.floor((row % 9) / 2);
  if (row % 9 === 8) return `xen-dyn-lateeoi    -event     blkif-backend`;
  return `xen-dyn-lateeoi    -event     vif${domain}.0-q${queue}-${row % 2 === 0 ? 'rx' : 'tx'}`;
};

/**
 * In Linux 6's format (kernel/irq/proc.c). Each row counts on the one CPU that it is bound to. `reading` increases the
 * counts.
 */
const interruptsFile = (reading: number): string => {
  const header = `${' '.repeat(11)}${Array.from({ length: cpus }, (_, cpu) => `CPU${cpu}`.padEnd(10)).join(' ')}\n`;
  const lines = Array.from({ length: rows }, (_, row) => {
    const counts = Array.from({ length: cpus }, (_, cpu) => (cpu === row % cpus ? 1e6 + 7919 * row + reading : 0));
    return `${String(24 + row).padStart(4)}: ${counts.map((count) => String(count).padStart(10)).join(' ')}  ${nameOf(row)}\n`;
  });
  return header + lines.join('');
};

/** The minimal machine on which the collector applies. */
const writeTree = async (root: string): Promise<void> => {
  const files = {
    'sys/hypervisor/type': 'xen\n',
    'proc/interrupts': interruptsFile(0),
    'proc/net/tcp':
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
};

/** Durations of the collector's readings and of their encoding, and the longest delay of this process's event loop. */
const measureInProcess = async (root: string) => {
  const host = await localHost({ procfs: join(root, 'proc'), sysfs: join(root, 'sys') });
  const collector = createCollector(interrupts, host);
  const collecting: number[] = [];
  const encoding: number[] = [];
  const loop = monitorEventLoopDelay({ resolution: 1 });
  for (let scrape = 0; scrape < warmUp + scrapes; scrape += 1) {
    if (scrape === warmUp) loop.enable();
    const begin = performance.now();
    const families = collectFamilies(collector, host);
    const collected = performance.now();
    for await (const _ of encode(families, 'openMetrics'));
    collecting.push(collected - begin);
    encoding.push(performance.now() - collected);
    await delay(5);
  }
  loop.disable();
  return { first: collecting[0]!, collecting: collecting.slice(warmUp), encoding: encoding.slice(warmUp), loop };
};

/** Durations of scrapes, and of concurrent health checks. */
const measureDaemon = async (root: string) => {
  await using daemon = await startDaemon({ args: fileFlags(root) });
  using scraper = new Connection(daemon.url, prometheusHeaders);
  using patient = new Connection(daemon.url);
  const whileDone = async (work: () => Promise<void>): Promise<number[]> => {
    const checks: number[] = [];
    let isDone = false;
    const working = work().finally(() => (isDone = true));
    while (!isDone) {
      checks.push((await patient.get('/-/healthy')).milliseconds);
      await delay(2);
    }
    await working;
    return checks;
  };
  const scraping: number[] = [];
  const scrape = async (count: number): Promise<void> => {
    for (let made = 0; made < count; made += 1) {
      scraping.push((await scraper.get('/metrics')).milliseconds);
      await delay(20);
    }
  };
  const first = await whileDone(() => scrape(1));
  await scrape(warmUp);
  const idle = await whileDone(() => delay(scrapes * 20).then());
  scraping.length = 0;
  const checks = await whileDone(() => scrape(scrapes));
  return { first, idle, scraping, checks };
};

const root = await mkdtemp(join(tmpdir(), 'interrupts-'));
try {
  await writeTree(root);
  const { size } = await stat(join(root, 'proc/interrupts'));
  console.log(`${cpus} CPUs, ${rows} rows, ${(size / 1e6).toFixed(1)} MB; ${scrapes} scrapes after ${warmUp}\n`);
  const alone = await measureInProcess(root);
  const daemon = await measureDaemon(root);
  const line = (what: string, times: readonly number[]) => [what, quantile(times, 0.5), Math.max(...times)];
  printTable([
    ['ms', 'p50', 'max'],
    line('collector: read, parse, collect', alone.collecting),
    ['collector: first reading', '', alone.first],
    line('collector: encode', alone.encoding),
    ['event loop delay around the collector', alone.loop.percentile(50) / 1e6, alone.loop.max / 1e6],
    line('daemon: scrape', daemon.scraping),
    line('daemon: health check while scraped', daemon.checks),
    line('daemon: health check during the first scrape', daemon.first),
    line('daemon: health check while idle', daemon.idle),
  ]);
} finally {
  await rm(root, { recursive: true });
}
