import type { RecordedFault } from '../../lab/faults/recorded-fault.ts';
import { compiledPack } from '../../src/diagnosis/compiled-pack.ts';
import type { Target } from '../../src/diagnosis/target.ts';
import type { Verdict } from '../../src/diagnosis/verdict.ts';
import { Watch } from '../../src/diagnosis/watch.ts';
import { isCounter } from '../pack/scenario.ts';
import { namedSeries } from '../promql/world.ts';

const pack = await compiledPack();

/** A series of a recording as a page of its target has it. */
interface RecordedSeries {
  /** Name and labels, without those of the target. */
  text: string;
  name: string;
  values: readonly (number | null)[];
  isCounter: boolean;
}

interface RecordedTarget extends Target {
  series: RecordedSeries[];
}

const ofTarget = new Set(['job', 'instance', 'xen_role']);

const targetsOf = ({ series }: RecordedFault): RecordedTarget[] => {
  const targets = new Map<string, RecordedTarget>();
  for (const [text, values] of Object.entries(series)) {
    const { name, labels } = namedSeries(text);
    const instance = labels.get('instance');
    const target = targets.get(instance) ?? { instance, isHost: labels.get('xen_role') === 'host', series: [] };
    targets.set(instance, target);
    const own = labels.drop([...ofTarget]).pairs;
    const pairs = own.flatMap((label, at) => (at % 2 === 0 ? [`${label}=${JSON.stringify(own[at + 1])}`] : []));
    target.series.push({ text: `${name}{${pairs.join(',')}}`, name, values, isCounter: isCounter(text) });
  }
  return [...targets.values()];
};

/** The part of a recording that is watched, and the clock. */
export interface Watched {
  /** The first and the last scrape. */
  from: number;
  to: number;
  /** The clock of the lab, or that of the rules, which goes `speed` times as fast. */
  clock: 'lab' | 'rules';
  windowSeconds?: number;
}

/** The verdict about a recording at the last of some scrapes. */
export const verdictOf = (recording: RecordedFault, { from, to, clock, windowSeconds }: Watched): Verdict => {
  const { intervalSeconds, speed } = recording;
  const [seconds, factor] = clock === 'lab' ? [intervalSeconds / speed, 1] : [intervalSeconds, speed];
  const watch = new Watch(pack, windowSeconds === undefined ? {} : { windowSeconds });
  const targets = targetsOf(recording);
  for (let slot = from; slot <= to; slot += 1) {
    const time = 1_800_000_000_000 + slot * seconds * 1000;
    for (const target of targets) {
      const lines: string[] = [];
      let isUp = false;
      for (const { text, name, values, isCounter: grows } of target.series) {
        const value = values[slot];
        if (name === 'up') isUp = value === 1;
        else if (typeof value === 'number') lines.push(`${text} ${grows ? value * factor : value}\n`);
      }
      if (isUp) watch.observe(target, lines.join(''), time);
      else watch.lose(target, time);
    }
    watch.step(time);
  }
  return watch.verdict();
};
