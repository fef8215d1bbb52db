// What the alerts of src/pack say, in the words of Grafana: a panel is coloured where an alert fires.
import { ThresholdsConfigBuilder, ThresholdsMode, type Threshold } from '@grafana/grafana-foundation-sdk/dashboard';
import { degreesOf, hops, type Hop, type Severity } from '../../src/pack/alert.ts';
import { alertNamed, alerts } from '../../src/pack/alerts.ts';
import { leastScore } from '../../src/pack/pack.ts';

export const colours = { fine: 'green', info: 'blue', warning: 'orange', critical: 'red' } as const;

export const thresholdOf = (name: string): number => alertNamed(name).threshold.value;

export const steps = (...above: readonly [value: number, colour: string][]): ThresholdsConfigBuilder => {
  const base: Threshold = { value: null, color: colours.fine };
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([base, ...above.map(([value, color]) => ({ value, color }))]);
};

/** Colour of whatever has no limit. */
export const noLimit = (): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'text' }]);

/** Of a count of what should not be. */
export const noneAtAll = (severity: Severity = 'warning'): ThresholdsConfigBuilder => steps([1, colours[severity]]);

/** Limits of an alert: its own threshold, and those of its degrees with the same measure. */
export const limitsOf = (name: string): ThresholdsConfigBuilder => {
  const alert = alertNamed(name);
  const limits = new Map<number, string>();
  for (const degree of degreesOf(alert)) {
    if (degree?.measure) continue;
    const { threshold, severity } = degree ?? alert;
    // At one limit the severer has the colour.
    if (severity !== 'info' || !limits.has(threshold.value)) limits.set(threshold.value, colours[severity]);
  }
  return steps(...[...limits].sort(([one], [other]) => one - other));
};

/** Limits of the degree of an alert that has this severity. */
export const limitsOfDegree = (name: string, severity: Severity): ThresholdsConfigBuilder => {
  const degree = alertNamed(name).also?.find((each) => each.severity === severity);
  if (!degree) throw new Error(`expected ${name} to have a degree of severity ${severity}`);
  return steps([degree.threshold.value, colours[severity]]);
};

/** Of a cause score: 1 is where the cause's alert fires. */
export const scoreLimits = (): ThresholdsConfigBuilder => steps([leastScore, 'yellow'], [1, colours.critical]);

/** Hops that have a cause, in the order in which a SYN meets them. */
export const hopsWithCause: readonly Hop[] = hops.filter((hop) =>
  alerts.some((alert) => alert.kind === 'cause' && alert.hop === hop),
);

/** Causes of a hop, for those who read what colours it. */
export const causesOf = (hop: Hop): string[] =>
  alerts.filter((alert) => alert.kind === 'cause' && alert.hop === hop).map(({ name }) => name);
