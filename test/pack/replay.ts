import { expect, test } from 'vitest';
import { trueTickets, type Concern, type Expected } from '../../lab/faults/fault.ts';
import type { RecordedFault } from '../../lab/faults/recorded-fault.ts';
import { recordings } from '../../lab/faults/recordings.ts';
import { timeout, verdict } from './promtool.ts';
import { isCounter, type PromtoolTest } from './scenario.ts';
import { atInterval, scrapeIntervalOr, type Scraped } from './scrape-interval.ts';

/**
 * A sound load at its limit, a page for each symptom, a ticket about the host and one about an exporter, under both
 * schedulers.
 */
export const representatives: ReadonlySet<string> = new Set([
  'credit-heavy',
  'credit-cpu-hogs',
  'credit2-conntrack-full',
  'credit2-vif-shaped',
  'credit-exporter-killed',
]);

/**
 * The recorded scrapes of a series; missing values are stale. Counters grow as fast in rules' time as they did in real
 * time.
 */
export const recordedScrapes = (series: string, values: readonly (number | null)[], speed: number): Scraped[] => {
  const factor = isCounter(series) ? speed : 1;
  return values.map((value, index) =>
    value === null ? (index > 0 && values[index - 1] !== null ? 'stale' : '_') : value * factor,
  );
};

const firing = (selector: string): string => `ALERTS{alertstate="firing",${selector}}`;
const alert = ({ alert: name, domain = '' }: Concern): string => firing(`alertname="${name}",domain="${domain}"`);
const pages = firing('severity="critical"');
/** A guest that its host harms: its page is muted. */
const harmedByHost = firing('alertname="XenGuestHarmedByHost"');
/** Causes that a page may name. */
const scores = '(uuid_cause:xen_accept_path_cause_score:ratio or uuid_cause:xen_page_recent_cause_score:ratio)';
/** Guests that an alert is about: the named one, or those that it names as harmed by their host. */
const concerned = ({ alert: name }: Concern): string =>
  `ALERTS{alertname="${name === 'XenHostHarmsGuests' ? 'XenGuestHarmedByHost' : name}"}`;

/**
 * Notifications that must not appear during the fault: pages about others, and untrue tickets that no page of their
 * guest mutes (alertmanager/alertmanager.yml).
 */
const untrue = (expected: Expected | undefined): string[] => {
  const { severity, domain = '' } = expected ?? {};
  const muted = firing('severity="warning",kind=~"cause|symptom"');
  const tickets = `(${firing('severity="warning",kind!~"cause|symptom"')} or (${muted} unless on (host, domain) ${firing('severity="critical",kind="symptom"')}))`;
  return [
    severity === 'critical'
      ? `(${firing(`severity="critical",domain!="${domain}"`)} unless on (uuid, host) ${harmedByHost})`
      : pages,
    (expected ? trueTickets(expected) : []).reduce((expr, concern) => `${expr} unless ${alert(concern)}`, tickets),
  ];
};

const replay = ({ intervalSeconds, speed, slots, series, expected }: RecordedFault): PromtoolTest => {
  const { told: toldBy = NaN } = slots;
  const to = scrapeIntervalOr(intervalSeconds);
  /** Slots by which a scrape may be later than recorded. Windows have four scrapes. */
  const later = Math.max(0, to / intervalSeconds - 1);
  const at = (slot: number): string => `${Math.round(slot * intervalSeconds)}s`;
  const isTrue = (slot: number, expr: string) => ({
    eval_time: at(slot),
    expr: `count(${expr}) > bool 0`,
    exp_samples: [{ labels: '{}', value: 1 }],
  });
  const isNever = (slot: number, expr: string) => ({ eval_time: at(slot), expr, exp_samples: [] });
  const during = Math.round((slots.undone - slots.injected) * intervalSeconds);
  const slotsBetween = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, index) => from + index);
  // A healthy load has no near miss.
  const from = expected ? slots.begun : slots.begin;
  // The time before ends later by as much.
  const harmless = slotsBetween(slots.begin + 2 * later, from).map((slot) => isNever(slot, pages));
  const wrong = untrue(expected);
  // An alert that ends as the fault begins may be an interval late.
  const nothingElse = slotsBetween(from + 1 + 2 * later, slots.undone).flatMap((slot) =>
    wrong.map((expr) => isNever(slot, expr)),
  );
  const told = expected
    ? [
        isTrue(slots.undone, `count_over_time(${alert(expected)}[${during}s])`),
        ...(expected.causes
          ? [
              // The replay has scrapes only at whole intervals, so it may notify an interval earlier or later.
              isTrue(
                toldBy + 1 + 4 * later,
                `count_over_time((topk by (uuid) (1, ${scores} and on (uuid) ${concerned(expected)}) and {cause=~"${expected.causes.join('|')}"})[${(2 + 4 * later) * intervalSeconds}s:15s])`,
              ),
            ]
          : []),
      ]
    : [];
  return {
    interval: `${to}s`,
    input_series: Object.entries(series).map(([each, values]) => ({
      series: each,
      values: atInterval(recordedScrapes(each, values, speed), {
        from: intervalSeconds,
        to,
        isCounter: isCounter(each),
      }).join(' '),
    })),
    promql_expr_test: [...harmless, ...nothingElse, ...told],
  };
};

/** Creates a test for each of these recordings of exporters on a real Xen during faults (npm run lab:faults). */
export const testReplays = (isWanted: (name: string) => boolean): void =>
  test.each([...recordings].filter(([name]) => isWanted(name)))('%s', { timeout }, async (_, fault) => {
    expect(await verdict([replay(fault)], '15s')).toContain('SUCCESS');
  });
