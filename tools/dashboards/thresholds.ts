// What the alerts of src/pack say, in the words of Grafana: a panel is coloured where an alert fires.
import { ThresholdsConfigBuilder, ThresholdsMode, type Threshold } from '@grafana/grafana-foundation-sdk/dashboard';
import { hops, type Hop, type Severity } from '../../src/pack/alerts/alert.ts';
import { isEnabled, levelOf, type AlertChanges } from '../../src/pack/alerts/changes.ts';
import { alertNamed, alerts } from '../../src/pack/alerts/alerts.ts';
import { leastScore } from '../../src/pack/recording/score.ts';

export const colours = { fine: 'green', none: 'green', info: 'blue', warning: 'orange', critical: 'red' } as const;

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

/** Of a cause score: 1 is where the cause's alert fires. */
export const scoreLimits = (): ThresholdsConfigBuilder => steps([leastScore, 'yellow'], [1, colours.critical]);

/** What dashboards show of the pack's alerts. */
export interface AlertLimits {
  thresholdOf(name: string): number;
  /** Limits of an alert: of its levels with its own measure. A disabled alert has none. */
  limitsOf(name: string): ThresholdsConfigBuilder;
  /** Limits of the level of an alert to which the pack gives this severity. A disabled alert has none. */
  limitsOfLevel(name: string, severity: Severity): ThresholdsConfigBuilder;
  /** Hops that have a cause, in the order in which a SYN meets them. */
  readonly hopsWithCause: readonly Hop[];
  /** Causes of a hop, for those who read what colours it. */
  causesOf(hop: Hop): string[];
}

/** What dashboards show of the pack's alerts with what a user changes of them. */
export const alertLimits = (changes: AlertChanges): AlertLimits => {
  const causes = alerts.filter((alert) => alert.kind === 'cause' && isEnabled(changes, alert));
  return {
    thresholdOf: (name) => levelOf(changes, alertNamed(name)).threshold,
    limitsOf: (name) => {
      const alert = alertNamed(name);
      if (!isEnabled(changes, alert)) return noLimit();
      const limits = new Map<number, string>();
      for (const level of alert.levels) {
        if (level.measure) continue;
        const { threshold, severity } = levelOf(changes, alert, level);
        // At one limit the severer has the colour.
        if (severity !== 'info' || !limits.has(threshold)) limits.set(threshold, colours[severity]);
      }
      return steps(...[...limits].sort(([one], [other]) => one - other));
    },
    limitsOfLevel: (name, severity) => {
      const alert = alertNamed(name);
      const alertLevel = alert.levels.find((each) => each.severity === severity);
      if (!alertLevel) throw new Error(`expected ${name} to have a level of severity ${severity}`);
      if (!isEnabled(changes, alert)) return noLimit();
      const level = levelOf(changes, alert, alertLevel);
      return steps([level.threshold, colours[level.severity]]);
    },
    hopsWithCause: hops.filter((hop) => causes.some((alert) => alert.hop === hop)),
    causesOf: (hop) => causes.filter((alert) => alert.hop === hop).map(({ name }) => name),
  };
};
