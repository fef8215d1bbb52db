import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import type { Chain } from './chain.ts';
import { NEIGHBOUR, VICTIM, type Expected, type Fault } from './fault.ts';
import type { Verdict } from './judge.ts';
import { EXPORTER_PORT } from '../harness/lab.ts';
import { SCRAPE_INTERVAL_SECONDS, type Speed } from './rule-clock.ts';

/** Pages of exporters during a near miss and its fault, or during a healthy load. */
export interface RecordedFault {
  /** The expected alert; none for a healthy load. */
  expected?: Expected;
  /** Scrape interval in rules' time, in which the rules have their shipped windows. */
  intervalSeconds: number;
  /** How much faster the rules' clock ran than the lab's. */
  speed: Speed;
  /**
   * Scrapes at which the near miss and the fault began, the fault reached full strength, the expected alert was
   * notified, and the fault was undone. Earlier scrapes are history.
   */
  slots: { begin: number; begun: number; injected: number; told?: number; undone: number };
  verdict: Omit<Verdict, 'times'>;
  /** Series by name and labels (recordedName): one value per scrape, null if missing. */
  series: ValuesBySeries;
  /** Recorded rows of the victim and its host in the same form, for the docs. */
  rows: ValuesBySeries;
}

type ValuesBySeries = Record<string, (number | null)[]>;

/**
 * Name of a series in recordings. The machine's name replaces the target's labels, and no value contains the exporter's
 * port. withTargetLabels (recordings.ts) restores both.
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

/** All series that the rules read, scrape by scrape. */
export async function recordedFault(
  { prometheus, clock }: Chain,
  { times, ...verdict }: Verdict,
  { expected, precondition }: Partial<Fault>,
): Promise<RecordedFault> {
  const needsHistory = precondition !== undefined;
  const { begun, injected, told, undone, end } = times;
  // Comparisons with an hour ago need that hour and the windows before it.
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
