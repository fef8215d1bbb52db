// Alert limits of src/pack as Grafana thresholds: a panel is coloured where an alert fires.
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

/** Colour for values without a limit. */
export const noLimit = (): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'text' }]);

/** Limits of a count that should be 0. */
export const noneAtAll = (severity: Severity = 'warning'): ThresholdsConfigBuilder => steps([1, colours[severity]]);

/** Limits of a cause score: at 1 the cause's alert fires. */
export const scoreLimits = (): ThresholdsConfigBuilder => steps([leastScore, 'yellow'], [1, colours.critical]);

/** Alert limits as dashboards show them. */
export interface AlertLimits {
  thresholdOf(name: string): number;
  /** Limits of an alert: those of its levels with the main measure. None if the alert is disabled. */
  limitsOf(name: string): ThresholdsConfigBuilder;
  /** Limit of the alert's level with this default severity. None if the alert is disabled. */
  limitsOfLevel(name: string, severity: Severity): ThresholdsConfigBuilder;
  /** Hops with causes, in the order of a SYN. */
  readonly hopsWithCause: readonly Hop[];
  /** Causes that colour a hop. */
  causesOf(hop: Hop): string[];
}

/** Alert limits with a user's changes. */
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
        // At equal limits the more severe colour wins.
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
