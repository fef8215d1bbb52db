import { leastScore, scoreName } from '../../src/pack/recording/score.ts';
import { table, type PlacedPanel } from './panels.ts';
import { toGuest, toRunbook } from './links.ts';
import { named, select } from './promql.ts';
import { scoreLimits } from './thresholds.ts';

const severities = {
  critical: { text: 'critical', color: 'red' },
  warning: { text: 'warning', color: 'orange' },
  info: { text: 'info', color: 'blue' },
};

/** Firing alerts with these matchers, without the watchdog. */
export const firing = (...matchers: readonly string[]): string =>
  select('ALERTS', 'alertstate="firing"', 'alertname=~"Xen.*"', 'severity!="none"', ...matchers);

const labels = 'alertname, severity, kind, domain, netns, host';

/** Table of firing alerts with these matchers. */
export const alertTable = (width: number, height: number, ...matchers: readonly string[]): PlacedPanel =>
  table({
    title: 'Alerts that fire',
    description:
      'Symptoms are harm to clients; causes are hops at their limit. The name links to the runbook. For is the time since the alert became pending.',
    width,
    height,
    labels: [
      { label: 'alertname', name: 'Alert', link: toRunbook, width: 200 },
      { label: 'severity', name: 'Severity', words: severities, width: 70 },
      { label: 'kind', name: 'Kind', width: 75 },
      { label: 'domain', name: 'Guest', width: 90 },
      { label: 'netns', name: 'Namespace', width: 90 },
      { label: 'host', name: 'Host' },
    ],
    values: [
      {
        expr: `time() - max by (${labels}) (${select('ALERTS_FOR_STATE', ...matchers)}) and max by (${labels}) (${firing(...matchers)})`,
        name: 'For',
        unit: 's',
        decimals: 0,
        width: 75,
      },
    ],
    sortBy: 'Severity',
    isAlphabetical: true,
    noValue: 'No alert fires.',
  });

/** Table of causes above half of their threshold. */
export const causeTable = (width: number, height: number): PlacedPanel =>
  table({
    title: 'Causes',
    description: `Hops above ${leastScore} times the threshold of their alert, with their score (value divided by threshold): at 1 the alert fires. The name links to the runbook.`,
    width,
    height,
    labels: [
      { label: 'domain', name: 'Guest', link: toGuest, width: 100 },
      { label: 'netns', name: 'Namespace', width: 90 },
      { label: 'host', name: 'Host' },
      { label: 'hop', name: 'Hop', width: 100 },
      { label: 'cause', name: 'Cause', link: toRunbook, width: 215 },
    ],
    hidden: ['uuid'],
    values: [
      {
        expr: `max by (uuid, domain, netns, host, hop, cause) (${named(select(scoreName, 'uuid=~"$guest"'))})`,
        name: 'Score',
        decimals: 1,
        limits: scoreLimits(),
      },
    ],
    sortBy: 'Score',
    noValue: 'No hop is close to its limit.',
  });
