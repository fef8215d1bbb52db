// Measures the cost of a large Dom0: generated hosts of 50, 100 and 200 guests with two vifs of four queues each, in
// one run.
//
//   npm run --silent build && MALLOC_ARENA_MAX=1 npx node bench/dom0.ts [--scrapes=30]
//
// Aims at 200 guests: under 20 000 series, a scrape under 150 ms on two cores, the event loop never blocked for over 50
// ms, under 150 MB resident; cost that grows no faster than the number of guests; a scrape at most 1.8 times the floor,
// which is the same files read once by the barest loop of Node.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from '../tools/lib/daemon.ts';
import { until } from '../tools/lib/until.ts';
import { GeneratedHost } from './generated-host.ts';
import { filesReadBy, nodeFloor, pythonFloor } from './floor.ts';
import { Connection, memoryOf, printTable, prometheusHeaders, quantile } from './support.ts';

const { values: flags } = parseArgs({ options: { scrapes: { type: 'string', default: '30' } } });
const scrapes = Number(flags.scrapes);
const warmUp = 10;
// Like the kernel's files these are in memory: disk writes of this process would overlap the measurement.
const inMemory = '/dev/shm';

// Files that are too large to be kept open.
const openedEachTime = ['proc/net/dev', 'proc/interrupts'];

const seriesOf = (page: string): number =>
  page.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;

/** Starts the daemon and waits until its background work is complete. */
const startOn = async (host: GeneratedHost, queues: 'vif' | 'each'): Promise<Daemon> => {
  const args = [...host.flags, `--collector.queues=${queues}`];
  const daemon = await startDaemon({ args });
  await until(
    'everything to be there',
    async () => {
      const { body } = await daemon.get('/metrics');
      return (
        ['xen_domain_grant_frames', 'xen_host_cpus', 'xen_domain_vcpus', 'xen_backend_events_total'].every((name) =>
          body.includes(`\n${name}`),
        ) || undefined
      );
    },
    { timeoutMs: 60_000 },
  );
  return daemon;
};

/**
 * Scrapes like Prometheus, and once more each time while another client constantly requests the daemon's health: that
 * client waits as long as the loop is blocked.
 */
const measure = async (host: GeneratedHost, queues: 'vif' | 'each') => {
  await using daemon = await startOn(host, queues);
  using scraper = new Connection(daemon.url, prometheusHeaders);
  using patient = new Connection(daemon.url);
  const scraping: number[] = [];
  const checks: number[] = [];
  const scrapeChecked = async (): Promise<void> => {
    let isDone = false;
    const check = async (): Promise<void> => {
      while (!isDone) {
        checks.push((await patient.get('/-/healthy')).milliseconds);
        await delay(1);
      }
    };
    const checking = check();
    await scraper.get('/metrics');
    isDone = true;
    await checking;
  };
  for (let made = 0; made < warmUp + scrapes; made += 1) {
    // This process now writes thousands of files and cannot observe the daemon's event loop.
    host.advance(made);
    await delay(100);
    if (made === warmUp) [scraping, checks].forEach((times) => (times.length = 0));
    scraping.push((await scraper.get('/metrics')).milliseconds);
    await delay(100);
    await scrapeChecked();
  }
  const { body } = await daemon.get('/metrics');
  const durations = [...body.matchAll(/^xen_exporter_collector_duration_seconds\{collector="(.*)"\} (.*)$/gm)]
    .map(([, name, seconds]) => [name!, Number(seconds) * 1e3] as const)
    .filter(([, milliseconds]) => milliseconds > 1);
  const files = filesReadBy(daemon.pid, host.root, openedEachTime);
  const memory = memoryOf(daemon.pid);
  return { series: seriesOf(body), bytes: body.length, scraping, checks, memory, durations, files };
};

const rows: (string | number)[][] = [
  ['guests', 'queues', 'series', 'page MB', 'scrape p50 ms', 'p95 ms', 'loop blocked ms', 'resident MB'],
];
const floors: (string | number)[][] = [
  ['guests', 'queues', 'files', 'Node, ms', 'Python, ms', 'scrape p50 ms', 'of Node', 'aim'],
];
let last: Awaited<ReturnType<typeof measure>> | undefined;
for (const queues of ['vif', 'each'] as const) {
  for (const guests of [50, 100, 200]) {
    const root = await mkdtemp(join(inMemory, 'dom0-'));
    try {
      const host = new GeneratedHost(root, { guests, vifs: 2, queues: 4 });
      const result = await measure(host, queues);
      if (queues === 'vif') last = result;
      const { series, bytes, scraping, checks, memory } = result;
      const scrape = [quantile(scraping, 0.5), quantile(scraping, 0.95)];
      rows.push([String(guests), queues, String(series), bytes / 1e6, ...scrape, Math.max(...checks), memory.rssMB]);
      const { files } = result;
      const barest = await nodeFloor(files, scrapes);
      const python = pythonFloor(files, scrapes) ?? 'no python3';
      const aim = guests === 200 && queues === 'vif' ? 'at most 1.8' : '';
      floors.push([String(guests), queues, String(files.length), barest, python, scrape[0]!, scrape[0]! / barest, aim]);
    } finally {
      await rm(root, { recursive: true });
    }
  }
}
console.log(`Generated hosts, two vifs of four queues for each guest; ${scrapes} scrapes after ${warmUp}\n`);
printTable(rows);
console.log('The floor: the files of one scrape, read once\n');
printTable(floors);
console.log('Of the last scrape of 200 guests, series by vif:\n');
printTable([['collector', 'ms'], ...last!.durations.map(([name, milliseconds]) => [name, milliseconds])]);
