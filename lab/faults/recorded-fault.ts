import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import type { Chain } from './chain.ts';
import { NEIGHBOUR, VICTIM, type Expected, type Fault } from './fault.ts';
import type { Verdict } from './judge.ts';
import { EXPORTER_PORT } from '../harness/lab.ts';
import { SCRAPE_INTERVAL_SECONDS, type Speed } from './rule-clock.ts';

/** What exporters served during a near miss and the fault, or during a healthy load. */
export interface RecordedFault {
  /** What is to be told; nothing in a healthy load. */
  expected?: Expected;
  /** For the rules: their windows are as long as they are shipped. */
  intervalSeconds: number;
  /** How many times as fast as the lab's the rules' clock went. */
  speed: Speed;
  /** At which scrapes the near miss and the fault began, it was there, the expected was told, and it was undone. Before the first is history. */
  slots: { begin: number; begun: number; injected: number; told?: number; undone: number };
  verdict: Omit<Verdict, 'times'>;
  /** Series by name and labels (recordedName): a value for each scrape, null where there is none. */
  series: ValuesBySeries;
  /** What the rules recorded of the victim and of its host meanwhile, likewise; for the docs. */
  rows: ValuesBySeries;
}

type ValuesBySeries = Record<string, (number | null)[]>;

/**
 * A series as recordings name it. The machine's name replaces the labels of its target, and no value holds the exporter's port:
 * withTargetLabels (recordings.ts) restores both.
 */
const recordedName = ({ __name__: name, ...labels }: Readonly<Record<string, string>>): string => {
  const own = Object.entries(labels)
    .filter(([label]) => label !== 'job' && label !== 'xen_role')
    .map(([label, value]) => {
      const withoutPort = value === String(EXPORTER_PORT) ? 'exporter' : value.replace(`:${EXPORTER_PORT}`, '');
      return `${label === 'instance' ? 'machine' : label}=${JSON.stringify(withoutPort)}`;
    });
  return `${name}{${own.join(',')}}`;
};

/** All that the rules ask for, scrape by scrape. */
export async function recordedFault(
  { prometheus, clock }: Chain,
  { times, ...verdict }: Verdict,
  { expected, precondition }: Partial<Fault>,
): Promise<RecordedFault> {
  const needsHistory = precondition !== undefined;
  const { begun, injected, told, undone, end } = times;
  // What is held against an hour ago needs that hour, and the windows before it.
  const begin = needsHistory ? injected - clock.minutes(80) / 1000 : times.begin;
  const metrics = new Set(JSON.stringify(rulePack(defaultPackOptions)).match(/\bxen_\w+(?=\{)/g));
  const slotOf = (time: number): number => Math.floor((time - begin) / clock.scrapeIntervalSeconds);
  const stored = async (selector: string): Promise<ValuesBySeries> => {
    const series: ValuesBySeries = {};
    for (const { labels, samples } of await prometheus.samples(`${selector}[${Math.ceil(end - begin)}s]`, end)) {
      const values = Array.from({ length: slotOf(end) + 1 }, (): number | null => null);
      for (const [time, value] of samples) values[slotOf(time)] = value;
      series[recordedName(labels)] = values;
    }
    return series;
  };
  const domain = expected?.domain === NEIGHBOUR ? NEIGHBOUR : VICTIM;
  const [victim] = await prometheus.query(`uuid:xen_guest_identity:info{domain="${domain}"}`);
  const series = await stored(`{__name__=~"${['up', ...metrics].join('|')}"}`);
  const rows = {
    ...(await stored(`{__name__=~"uuid.*", uuid="${victim?.metric['uuid']}"}`)),
    ...(await stored('{__name__=~"instance:xen_(dom0|uplink|netback).*"}')),
  };
  return {
    ...(expected && { expected }),
    intervalSeconds: SCRAPE_INTERVAL_SECONDS,
    speed: clock.speed,
    slots: {
      begin: slotOf(times.begin),
      begun: slotOf(begun),
      injected: slotOf(injected),
      ...(told !== undefined && { told: slotOf(told) }),
      undone: slotOf(undone),
    },
    verdict,
    series,
    rows,
  };
}
