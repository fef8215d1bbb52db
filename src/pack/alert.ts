import type { Promql } from './promql.ts';

/** A number at which an alert fires, and where it comes from. */
export interface Threshold {
  value: number;
  /** Why this number; a claim is named as one. */
  why: string;
}

/** What an alert is: harm that clients feel, a hop at its limit, or the exporters themselves. */
export type AlertKind = 'symptom' | 'cause' | 'meta';

/** An alert of the pack. */
export interface Alert {
  /** `Xen...`, 40 characters at most; its runbook has the same name. */
  name: string;
  kind: AlertKind;
  severity: 'critical' | 'warning' | 'info';
  /**
   * What `measure` tells of: a guest (by uuid), a host (by job and instance: all of its guests suffer), or an exporter (by job, instance and
   * what else its labels are).
   */
  about: 'guest' | 'host' | 'exporter';
  threshold: Threshold;
  /** PromQL of the measured value wherever the alert makes sense; it fires where the value is above the threshold. */
  measure: (p: Promql) => string;
  for: string;
  keepFiringFor?: string;
  /** One line; templates of Prometheus may be used. */
  summary: string;
  /** With the measured value. */
  description: string;
}

/** The measured value as a percentage, in a template of Prometheus. */
export const percent = '{{ $value | humanizePercentage }}';
