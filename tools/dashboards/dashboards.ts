import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { AlertChanges } from '../../src/pack/alerts/changes.ts';
import { dom0 } from './dom0.ts';
import { exporter } from './exporter.ts';
import { fleet } from './fleet.ts';
import { guest } from './guest.ts';
import { scheduler } from './scheduler.ts';
import { alertLimits } from './thresholds.ts';

/** The dashboards, with the limits of alerts as a user changes them. */
export const dashboardsFor = (changes: AlertChanges): readonly Dashboard[] => {
  const limits = alertLimits(changes);
  return [fleet(limits), guest(limits), dom0(limits), scheduler(limits), exporter];
};

/** The dashboards as they come. */
export const dashboards = dashboardsFor({});

/** The files in grafana/dashboards/ and what is in them. */
export const filesOf = (boards: readonly Dashboard[]): Readonly<Record<string, string>> =>
  Object.fromEntries(boards.map((board) => [`${board.uid}.json`, `${JSON.stringify(board, null, 2)}\n`]));
