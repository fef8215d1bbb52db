import type { Alert, AlertLevel, Severity } from './alert.ts';

/** A user's changes of one level of an alert. */
export interface LevelChange {
  readonly threshold?: number | undefined;
  readonly for?: string | undefined;
  readonly severity?: Severity | undefined;
}

/** A user's changes of an alert's main level, and of its other levels by the severity that the pack gives them. */
export interface AlertChange extends LevelChange {
  readonly disabled?: boolean | undefined;
  readonly levels?: Readonly<Partial<Record<Severity, LevelChange | undefined>>> | undefined;
}

/** A user's changes of the pack's alerts, by the name of the alert. */
export type AlertChanges = Readonly<Record<string, AlertChange | undefined>>;

/** A level of an alert as its rule uses it. */
export interface Level {
  readonly severity: Severity;
  readonly threshold: number;
  readonly for: string;
}

/** Returns whether this is the main level of its alert. */
export const isMain = ({ levels }: Alert, level: AlertLevel): boolean => level === levels[0];

/** Finds a user's changes of an alert's level. */
export const changeOf = (changes: AlertChanges, alert: Alert, level: AlertLevel): LevelChange | undefined => {
  const change = changes[alert.name];
  return isMain(alert, level) ? change : change?.levels?.[level.severity];
};

/** Returns a level of an alert with the user's changes applied. */
export const levelOf = (changes: AlertChanges, alert: Alert, level: AlertLevel = alert.levels[0]): Level => {
  const change = changeOf(changes, alert, level);
  return {
    severity: change?.severity ?? level.severity,
    threshold: change?.threshold ?? level.threshold.value,
    for: change?.for ?? alert.for,
  };
};

/** Returns whether a number can be a threshold: a score is a measure divided by its threshold. */
export const isThreshold = (value: number): boolean => value > 0 && value < Infinity;

/** Returns whether the user leaves an alert enabled. */
export const isEnabled = (changes: AlertChanges, { name }: Alert): boolean => changes[name]?.disabled !== true;

/** Returns the changes with a new threshold for a level. */
export const withThreshold = (
  changes: AlertChanges,
  alert: Alert,
  level: AlertLevel,
  threshold: number,
): AlertChanges => {
  const { name } = alert;
  const change = changes[name];
  const changed = { ...changeOf(changes, alert, level), threshold };
  return {
    ...changes,
    [name]: isMain(alert, level)
      ? { ...change, threshold }
      : { ...change, levels: { ...change?.levels, [level.severity]: changed } },
  };
};
