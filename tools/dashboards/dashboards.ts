import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { AlertChanges } from '../../src/pack/alerts/changes.ts';
import { dom0 } from './dom0.ts';
import { exporter } from './exporter.ts';
import { fleet } from './fleet.ts';
import { guest } from './guest.ts';
import { scheduler } from './scheduler.ts';
import { alertLimits } from './thresholds.ts';

/** The dashboards with a user's alert limits. */
export const dashboardsFor = (changes: AlertChanges): readonly Dashboard[] => {
  const limits = alertLimits(changes);
  return [fleet(limits), guest(limits), dom0(limits), scheduler(limits), exporter];
};

/** The dashboards with the default limits. */
export const dashboards = dashboardsFor({});

/** Files in grafana/dashboards/ by name. */
export const filesOf = (boards: readonly Dashboard[]): Readonly<Record<string, string>> =>
  Object.fromEntries(boards.map((board) => [`${board.uid}.json`, `${JSON.stringify(board, null, 2)}\n`]));
