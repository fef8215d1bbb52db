import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
  VariableHide,
  type Dashboard,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { PlacedPanel } from './panels.ts';
import { datasource } from './variables.ts';

/** Panels under one heading. */
export interface Section {
  /** Without a title the panels are at the top. */
  title?: string;
  /** For panels that are empty in a usual installation. */
  collapsed?: boolean;
  panels: readonly PlacedPanel[];
}

export interface Board {
  uid: string;
  title: string;
  description: string;
  variables: readonly cog.Builder<VariableModel>[];
  /** Matchers of the alerts to mark in all graphs. */
  alertsMarked: string;
  sections: readonly Section[];
}

const columns = 24;
/** Grafana 11's version. Later releases upgrade it. */
const schemaVersion = 39;
const tag = 'xen-exporter';

/** Renders the dashboard for Grafana. Throws if panels do not fill their line. */
export const dashboard = ({ uid, title, description, variables, alertsMarked, sections }: Board): Dashboard => {
  const board = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([tag])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('1m')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables])
    .link(
      new DashboardLinkBuilder('Xen dashboards')
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .includeVars(true)
        .keepTime(true),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name('Alerts')
        .datasource(datasource)
        .enable(true)
        .hide(false)
        .iconColor('red')
        .expr(`ALERTS{alertstate="firing",alertname=~"Xen.*",severity!="none",${alertsMarked}}`)
        .step('60s')
        .titleFormat('{{alertname}}')
        .textFormat('{{domain}} {{instance}}')
        .tagKeys('severity'),
    );
  let nextId = 1;
  let y = 0;

  /** Places the panels from line `top` on. Returns the next free line. */
  const place = (panels: readonly PlacedPanel[], top: number, add: (panel: cog.Builder<never>) => void): number => {
    let [x, line, lineHeight] = [0, top, 0];
    for (const { panel, width, height } of panels) {
      const built = { ...panel.build(), id: nextId++, gridPos: { x, y: line, w: width, h: height } };
      add({ build: () => built as never });
      lineHeight = Math.max(lineHeight, height);
      x += width;
      if (x > columns) throw new Error(`${title}: panels of a line are ${x} columns wide at "${built.title}"`);
      if (x === columns) [x, line, lineHeight] = [0, line + lineHeight, 0];
    }
    if (x !== 0) throw new Error(`${title}: panels of the last line are ${x} columns wide`);
    return line;
  };

  for (const { title: heading, collapsed = false, panels } of sections) {
    if (heading === undefined) {
      y = place(panels, y, (panel) => board.withPanel(panel));
      continue;
    }
    const row = new RowBuilder(heading).id(nextId++).gridPos({ x: 0, y, w: columns, h: 1 }).collapsed(collapsed);
    y += 1;
    if (collapsed) {
      place(panels, y, (panel) => row.withPanel(panel));
      board.withRow(row);
    } else {
      board.withRow(row);
      y = place(panels, y, (panel) => board.withPanel(panel));
    }
  }
  const built = board.build();
  // The position of links is new in Grafana 12. The default is the top.
  for (const link of [...(built.links ?? []), ...(built.annotations?.list ?? [])]) delete link.placement;
  for (const variable of built.templating?.list ?? []) {
    // Derived variables are not part of links.
    if (variable.hide === VariableHide.HideVariable && variable.type === 'query') variable.skipUrlSync = true;
  }
  built.schemaVersion = schemaVersion;
  return built;
};
