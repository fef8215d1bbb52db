// Measures src/diagnosis with a generated fleet, whose exporters it reads every 2 s for half a minute, as `xen-exporter
// doctor` does: the time of one step (all pages read, all rules evaluated), of the verdict, and memory, beside the
// aims. The fleet is that of bench/rules.ts.
//
//   npm run bench:diagnosis -- [--hosts=10] [--guests=20] [--interval=2] [--seconds=30]
// As the program does: V8 keeps less memory free.
import '../src/host/v8-flags.ts';
import { parseArgs } from 'node:util';
import { compiledPack } from '../src/diagnosis/compiled-pack.ts';
import type { Target } from '../src/diagnosis/target.ts';
import { Watch } from '../src/diagnosis/watch.ts';
import { parseSeries } from '../tools/lib/exposition.ts';
import { generatedFleet, type Series } from './generated-fleet.ts';
import { memoryOf, quantile } from './support.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '10' },
    guests: { type: 'string', default: '20' },
    interval: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '30' },
  },
});
const [hosts, guestsPerHost, interval, seconds] = [
  Number(values.hosts),
  Number(values.guests),
  Number(values.interval),
  Number(values.seconds),
];
const aims = { stepMs: 1000, memoryMB: 250 };

interface FleetTarget extends Target {
  series: Series[];
}

/** The exporters of the fleet. The series of a page lack the labels of its target. */
const fleetTargets = (): FleetTarget[] => {
  const targets = new Map<string, FleetTarget>();
  for (const each of generatedFleet({ hosts, guestsPerHost, used: (name) => name !== '' }).flat()) {
    const { name, labels } = parseSeries(each.series);
    if (name === 'up') continue;
    const instance = labels['instance']!;
    const target = targets.get(instance) ?? { instance, isHost: labels['xen_role'] === 'host', series: [] };
    targets.set(instance, target);
    target.series.push({ ...each, series: each.series.replace(/(?:job|instance|xen_role)="[^"]*",?/g, '') });
  }
  return [...targets.values()];
};

const pageOf = ({ series }: FleetTarget, elapsed: number): string =>
  series.map(({ series: text, value, perSecond }) => `${text} ${value + perSecond * elapsed}\n`).join('');

/** Milliseconds of CPU time, which other work on the machine does not lengthen. */
const timed = (run: () => void): number => {
  const begin = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
};

const targets = fleetTargets();
const seriesCount = targets.reduce((sum, { series }) => sum + series.length, 0);
const before = memoryOf(process.pid);
const watch = new Watch(await compiledPack(), { windowSeconds: 30 });
const reading: number[] = [];
const evaluating: number[] = [];
for (let elapsed = 0; elapsed <= seconds; elapsed += interval) {
  const time = 1_800_000_000_000 + elapsed * 1000;
  let readMs = 0;
  for (const target of targets) {
    const page = pageOf(target, elapsed);
    readMs += timed(() => watch.observe(target, page, time));
  }
  reading.push(readMs);
  evaluating.push(timed(() => watch.step(time)));
}
let summary = '';
const verdictMs = timed(() => {
  const { status, summary: sentence } = watch.verdict();
  summary = `${status}: ${sentence}`;
});
const after = memoryOf(process.pid);
const { series, samples } = watch.size;
const milliseconds = (all: readonly number[]): string =>
  `${quantile(all, 0.5).toFixed(0)} ms (most ${Math.max(...all).toFixed(0)} ms)`;
const steps = evaluating.map((ms, index) => ms + reading[index]!);
process.stdout.write(
  [
    `${hosts * guestsPerHost} guests on ${hosts} hosts with ${seriesCount} series, read every ${interval} s for ${seconds} s; ${series} series with ${samples} samples are stored`,
    summary,
    `CPU time of reading all pages: ${milliseconds(reading)}`,
    `CPU time of evaluating all rules: ${milliseconds(evaluating)}`,
    `CPU time of both: ${milliseconds(steps)}; aim: under ${aims.stepMs} ms`,
    `CPU time of the verdict: ${verdictMs.toFixed(0)} ms`,
    `memory: ${after.peakMB.toFixed(0)} MB at most, of which ${before.rssMB.toFixed(0)} MB were the fleet and Node before; aim: under ${aims.memoryMB} MB`,
  ].join('\n') + '\n',
);
