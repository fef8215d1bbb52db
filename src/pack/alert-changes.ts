import type { Alert, Degree, Severity } from './alert.ts';

/** What a user changes of one level of an alert. */
export interface LevelChange {
  readonly threshold?: number | undefined;
  readonly for?: string | undefined;
  readonly severity?: Severity | undefined;
}

/** What a user changes of an alert: its own level, and its other levels by the severity that the pack gives them. */
export interface AlertChange extends LevelChange {
  readonly disabled?: boolean | undefined;
  readonly levels?: Readonly<Partial<Record<Severity, LevelChange | undefined>>> | undefined;
}

/** What a user changes of the pack's alerts, by the name of the alert. */
export type AlertChanges = Readonly<Record<string, AlertChange | undefined>>;

/** A level of an alert as its rule has it. */
export interface Level {
  readonly severity: Severity;
  readonly threshold: number;
  readonly for: string;
}

/** A level of an alert, with what the user changes of it: the alert's own level, or that of a degree. */
export const levelOf = (changes: AlertChanges, alert: Alert, degree?: Degree): Level => {
  const ofAlert = changes[alert.name];
  const change = degree === undefined ? ofAlert : ofAlert?.levels?.[degree.severity];
  const { severity, threshold } = degree ?? alert;
  return {
    severity: change?.severity ?? severity,
    threshold: change?.threshold ?? threshold.value,
    for: change?.for ?? alert.for,
  };
};

/** Whether a number can be a threshold: a score is a measure divided by its threshold. */
export const isThreshold = (value: number): boolean => value > 0 && value < Infinity;

/** Whether the user leaves an alert enabled. */
export const isEnabled = (changes: AlertChanges, { name }: Alert): boolean => changes[name]?.disabled !== true;

/** The same changes with another threshold for a level. */
export const withThreshold = (
  changes: AlertChanges,
  { name }: Alert,
  degree: Degree | undefined,
  threshold: number,
): AlertChanges => {
  const change = changes[name];
  if (degree === undefined) return { ...changes, [name]: { ...change, threshold } };
  const level = { ...change?.levels?.[degree.severity], threshold };
  return { ...changes, [name]: { ...change, levels: { ...change?.levels, [degree.severity]: level } } };
};
