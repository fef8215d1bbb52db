import { alerts } from './alerts/alerts.ts';

/** An alert that cannot work on what an exporter gives. */
export interface BlindAlert {
  name: string;
  /** The metrics that it needs and that are not there. */
  lacks: readonly string[];
}

/** Alerts that these metrics alone leave blind: in a guest those of the host are, and the other way around. */
export const alertsWithoutData = (metrics: ReadonlySet<string>): BlindAlert[] =>
  alerts
    // Whether an exporter is down it cannot tell itself.
    .filter(({ kind }) => kind !== 'meta')
    .map(({ name, needs }) => ({
      name,
      lacks: needs
        .map((either) => either.split('|'))
        .filter((either) => !either.some((metric) => metrics.has(metric)))
        .map((either) => either.join(' or ')),
    }))
    .filter(({ lacks }) => lacks.length > 0);
