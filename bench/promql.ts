// Measures src/promql with the pack's rules over the generated fleet of bench/rules.ts: memory, and the time of one
// evaluation of all rules and alert expressions.
//
//   node bench/promql.ts [--hosts=10] [--guests=20] [--interval=15] [--minutes=15]
// Like the exporter: V8 keeps less free memory.
import '../src/host/v8-flags.ts';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defaultPackOptions, rulePack } from '../src/pack/pack.ts';
import { alertsName } from '../src/promql/active-alerts.ts';
import { evaluate } from '../src/promql/evaluate.ts';
import { Labels, type Sample } from '../src/promql/labels.ts';
import { parseRule } from '../src/promql/parse.ts';
import { Recorder } from '../src/promql/recorder.ts';
import { Feed, Store } from '../src/promql/store.ts';
import { windowsOf, type Selector } from '../src/promql/tree.ts';
import { parseSeries } from '../tools/lib/exposition.ts';
import { generatedFleet, type Series } from './generated-fleet.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '10' },
    guests: { type: 'string', default: '20' },
    interval: { type: 'string', default: '15' },
    minutes: { type: 'string', default: '15' },
  },
});
const [hosts, guestsPerHost, intervalSeconds, minutes] = [
  Number(values.hosts),
  Number(values.guests),
  Number(values.interval),
  Number(values.minutes),
];

const rules = rulePack(defaultPackOptions).flatMap((group) => group.rules.map(parseRule));
const windows = windowsOf(rules.map(({ expr }) => expr));

const namedSeries = ({ series, value, perSecond }: Series) => {
  const { name, labels } = parseSeries(series);
  return { name, labels: Labels.of(Object.entries(labels)), value, perSecond };
};
type NamedSeries = ReturnType<typeof namedSeries>;

/** Samples of a page after this time. */
function* samplesOf(page: readonly NamedSeries[], seconds: number): Generator<Sample> {
  for (const { name, labels, value, perSecond } of page) yield { name, labels, value: value + perSecond * seconds };
}

const used = (name: string): boolean => windows.has(name);
const pages = generatedFleet({ hosts, guestsPerHost, used }).map((page) => page.map(namedSeries));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const memory = (kind: 'rss' | 'heapUsed'): number => process.memoryUsage()[kind] / 2 ** 20;
collectGarbage();
const [before, heapBefore] = [memory('rss'), memory('heapUsed')];
const selectorOfAlerts: Selector = { kind: 'selector', name: alertsName, matchers: [], offsetMs: 0 };
const store = new Store(windows);
const recorder = new Recorder(rules, { store });
const feeds = pages.map(() => new Feed(store));

/** CPU time in milliseconds, independent of other load. */
const timed = (run: () => void): number => {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};
const writing: number[] = [];
const evaluating: number[] = [];
let most = before;
let active = 0;
for (let seconds = 0; seconds <= minutes * 60; seconds += intervalSeconds) {
  const time = 1_800_000_000_000 + seconds * 1000;
  writing.push(timed(() => pages.forEach((page, index) => feeds[index]!.write(samplesOf(page, seconds), time))));
  evaluating.push(
    timed(() => {
      const [failure] = recorder.record(time);
      if (failure) throw failure.error;
      active = (evaluate(selectorOfAlerts, { store, time }) as object[]).length;
    }),
  );
  most = Math.max(most, memory('rss'));
}

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
const milliseconds = (all: readonly number[]): string =>
  `${median(all).toFixed(0)} ms (most ${Math.max(...all).toFixed(0)} ms)`;
// The first evaluations run uncompiled code over incomplete windows.
const warm = evaluating.slice(-Math.ceil(evaluating.length / 2));
const { series, samples } = store.size;
collectGarbage();
process.stdout.write(
  [
    `${hosts * guestsPerHost} guests on ${hosts} hosts, ${series} series with ${samples} samples`,
    `CPU time of one evaluation of ${rules.length} rules: ${milliseconds(warm)}, the first ${evaluating[0]!.toFixed(0)} ms; ${active} alerts are pending or fire`,
    `CPU time of writing one scrape of every target: ${milliseconds(writing)}`,
    `memory: ${(memory('heapUsed') - heapBefore).toFixed(0)} MB of heap, beside the pages; RSS ${before.toFixed(0)} MB before, ${most.toFixed(0)} MB at most`,
  ].join('\n') + '\n',
);
