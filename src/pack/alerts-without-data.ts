import { alerts } from './alerts/alerts.ts';

/** An alert that lacks metrics it needs. */
export interface BlindAlert {
  name: string;
  /** Metrics that the alert needs and the exporter does not export. */
  lacks: readonly string[];
}

/** Returns the alerts that cannot work on these metrics alone: in a guest the host's alerts, on a host the guest's. */
export const alertsWithoutData = (metrics: ReadonlySet<string>): BlindAlert[] =>
  alerts
    // An exporter cannot report its own absence.
    .filter(({ kind }) => kind !== 'meta')
    .map(({ name, needs }) => ({
      name,
      lacks: needs
        .map((either) => either.split('|'))
        .filter((either) => !either.some((metric) => metrics.has(metric)))
        .map((either) => either.join(' or ')),
    }))
    .filter(({ lacks }) => lacks.length > 0);
