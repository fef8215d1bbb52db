import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dom0 } from './dom0.ts';
import { exporter } from './exporter.ts';
import { fleet } from './fleet.ts';
import { guest } from './guest.ts';
import { scheduler } from './scheduler.ts';

export const dashboards: readonly Dashboard[] = [fleet, guest, dom0, scheduler, exporter];

/** The files in grafana/dashboards/ and what is in them. */
export const dashboardFiles: Readonly<Record<string, string>> = Object.fromEntries(
  dashboards.map((board) => [`${board.uid}.json`, `${JSON.stringify(board, null, 2)}\n`]),
);
