// Measures what a change costs: runs two commits of this repository side by side, on this machine and on a generated
// Dom0, and scrapes them in turn, so that noise affects both alike.
//
//   node bench/commits.ts --old=COMMIT --new=COMMIT [--rounds=20] [--scrapes=100] [--guests=100]
//
// Prints for each machine the ratio of new to old: its median over the rounds, with the quartiles and extremes.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from '../tools/lib/daemon.ts';
import { project } from '../tools/lib/project.ts';
import { until } from '../tools/lib/until.ts';
import { GeneratedHost } from './generated-host.ts';
import { Connection, cpuSecondsOf, printTable, prometheusHeaders, quantile } from './support.ts';

const { values: flags } = parseArgs({
  options: {
    old: { type: 'string' },
    new: { type: 'string', default: 'HEAD' },
    rounds: { type: 'string', default: '20' },
    scrapes: { type: 'string', default: '100' },
    guests: { type: 'string', default: '100' },
  },
});
if (flags.old === undefined) throw new Error('--old: expected a commit');
const [rounds, scrapes, guests] = [Number(flags.rounds), Number(flags.scrapes), Number(flags.guests)];
const git = (...args: string[]): string => execFileSync('git', args, { cwd: project, encoding: 'utf8' });

/** A commit built in its own work tree with this tree's packages. */
const built = async (folder: string, commit: string): Promise<string> => {
  const root = join(folder, git('rev-parse', '--short', commit).trim());
  git('worktree', 'add', '--detach', root, commit);
  await symlink(join(project, 'node_modules'), join(root, 'node_modules'));
  execFileSync(join(project, 'node_modules/.bin/tsc'), ['--project', 'tsconfig.build.json'], { cwd: root });
  return join(root, 'dist/main.js');
};

interface Contender {
  readonly daemon: Daemon;
  readonly connection: Connection;
}

const start = async (main: string, args: readonly string[]): Promise<Contender> => {
  // Without samplers, which cost the same in each round and are not part of a scrape.
  const quiet = ['--collector.listeners.sampler-hertz=0', '--collector.netback.sampler-hertz=0'];
  const daemon = await startDaemon({ main, args: [...args, ...quiet], env: { MALLOC_ARENA_MAX: '1' } });
  return { daemon, connection: new Connection(daemon.url, prometheusHeaders) };
};

/** Scrapes both in turn. Returns the median latency (ms) and CPU time (ms) of a scrape of each. */
const round = async (contenders: readonly Contender[], beforeEach: () => void) => {
  const milliseconds: number[][] = contenders.map(() => []);
  const cpu = contenders.map(({ daemon }) => -cpuSecondsOf(daemon.pid));
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    beforeEach();
    // The first contender reads files that were just written, so the order alternates.
    const inTurn = [...contenders.entries()];
    if (scrape % 2 === 1) inTurn.reverse();
    for (const [i, { connection }] of inTurn) {
      milliseconds[i]!.push((await connection.get('/metrics')).milliseconds);
    }
  }
  return contenders.map(({ daemon }, i) => ({
    latency: quantile(milliseconds[i]!, 0.5),
    cpu: ((cpu[i]! + cpuSecondsOf(daemon.pid)) / scrapes) * 1e3,
  }));
};

const compare = async (
  mains: readonly string[],
  args: readonly string[],
  isReady: (page: string) => boolean,
  beforeEach: () => void,
): Promise<(string | number)[][]> => {
  const contenders: Contender[] = [];
  try {
    for (const main of mains) contenders.push(await start(main, args));
    for (const { daemon } of contenders) {
      await until('everything to be there', async () => isReady((await daemon.get('/metrics')).body) || undefined);
    }
    // Warm up: the first scrapes run while Node compiles.
    await round(contenders, beforeEach);
    const ratios = { latency: [] as number[], cpu: [] as number[] };
    for (let made = 0; made < rounds; made += 1) {
      const [before, after] = await round(contenders, beforeEach);
      for (const what of ['latency', 'cpu'] as const) ratios[what].push(after![what] / before![what]);
    }
    return Object.entries(ratios).map(([of, all]) => [
      of,
      ...[0.5, 0.25, 0.75, 0, 1].map((share) => quantile(all, share)),
    ]);
  } finally {
    for (const { daemon, connection } of contenders) {
      connection[Symbol.dispose]();
      await daemon[Symbol.asyncDispose]();
    }
  }
};

const folder = await mkdtemp(join(tmpdir(), 'commits-'));
const inMemory = await mkdtemp('/dev/shm/commits-');
try {
  const mains = [await built(folder, flags.old), await built(folder, flags.new)];
  const host = new GeneratedHost(inMemory, { guests, vifs: 2, queues: 4 });
  let moves = 0;
  const rows = [
    ...(
      await compare(
        mains,
        [],
        () => true,
        () => {},
      )
    ).map((row) => ['this machine', ...row]),
    ...(
      await compare(
        mains,
        host.flags,
        (page) => page.includes('\nxen_domain_vcpus') && page.includes('\nxen_backend_events_total'),
        () => host.advance((moves += 1)),
      )
    ).map((row) => [`Dom0 of ${guests} guests`, ...row]),
  ];
  console.log(`${flags.new} over ${flags.old}: ${rounds} rounds of ${scrapes} scrapes each in turn\n`);
  printTable([['', 'of a scrape', 'median ratio', 'quartile', 'quartile', 'least', 'most'], ...rows]);
} finally {
  for (const name of [flags.old, flags.new]) {
    git('worktree', 'remove', '--force', join(folder, git('rev-parse', '--short', name).trim()));
  }
  await Promise.all([folder, inMemory].map((each) => rm(each, { recursive: true, force: true })));
}
