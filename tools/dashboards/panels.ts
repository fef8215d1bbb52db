import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  SpecialValueMatch,
  type DynamicConfigValue,
  type Panel,
  type ThresholdsConfigBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmapPanel from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { noLimit } from './thresholds.ts';
import { datasource } from './variables.ts';

/** A panel with its size, in units of 24 columns. */
export interface PlacedPanel {
  panel: cog.Builder<Panel>;
  width: number;
  height: number;
}

/** An expression and the legend of its series. */
export type Query = readonly [expr: string, legend: string];

interface Common {
  title: string;
  description: string;
  /** A Grafana unit. */
  unit: string;
  decimals?: number;
  width: number;
  height?: number;
  limits?: ThresholdsConfigBuilder;
}

const refId = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index);

const target = (index: number, expr: string): DataqueryBuilder =>
  new DataqueryBuilder().refId(refId(index)).expr(expr).datasource(datasource);

const legend = (): VizLegendOptionsBuilder =>
  new VizLegendOptionsBuilder()
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .showLegend(true)
    .calcs([]);

const tooltip = (): VizTooltipOptionsBuilder =>
  new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending);

export interface Graph extends Common {
  queries: readonly Query[];
  stacked?: boolean;
  max?: number;
}

/** Minimum top of an axis: a zero line stays at the bottom, and limits stay visible unless far above usual values. */
const leastTop = (unit: string, limits: ThresholdsConfigBuilder | undefined): number => {
  const highest = Math.max(0, ...(limits?.build().steps ?? []).map(({ value }) => value ?? 0));
  const usual = { percentunit: 0.1, s: 0.001 }[unit] ?? 1;
  return highest > 1000 ? usual : Math.max(usual, highest * 1.25);
};

/** Lines over time. A dashed line shows where an alert fires. */
export const graph = ({
  title,
  description,
  unit,
  decimals,
  width,
  height = 7,
  limits,
  queries,
  stacked,
  max,
}: Graph): PlacedPanel => {
  const panel = new TimeseriesBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 8)
    .showPoints(VisibilityMode.Never)
    .legend(legend())
    .tooltip(tooltip())
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .targets(queries.map(([expr, name], index) => target(index, expr).legendFormat(name).range()));
  if (decimals !== undefined) panel.decimals(decimals);
  if (max === undefined) panel.axisSoftMax(leastTop(unit, limits));
  else panel.max(max);
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if (limits)
    panel
      .thresholds(limits)
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  return { panel, width, height };
};

export interface Stat extends Common {
  query: Query;
  /** Text for missing values. */
  noValue?: string;
  /** Whether to show the name instead of the number. */
  isName?: boolean;
}

/** One number per series, coloured by its limits. */
export const stat = ({
  title,
  description,
  unit,
  decimals,
  width,
  height = 4,
  limits = noLimit(),
  query: [expr, name],
  noValue = 'no data',
  isName = false,
}: Stat): PlacedPanel => {
  const panel = new StatBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .noValue(noValue)
    .thresholds(limits)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .textMode(isName ? BigValueTextMode.Name : BigValueTextMode.Auto)
    .reduceOptions(new ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']).fields(''))
    .targets([target(0, expr).legendFormat(name).instant()]);
  if (decimals !== undefined) panel.decimals(decimals);
  return { panel, width, height };
};

/** A column of a table. */
export interface Column {
  /** The header. */
  name: string;
  unit?: string;
  decimals?: number;
  limits?: ThresholdsConfigBuilder;
  /** Link of a cell. */
  link?: { title: string; url: string };
  /** Words that replace values. */
  words?: Readonly<Record<string, { text: string; color?: string }>>;
  width?: number;
}

export interface ValueColumn extends Column {
  expr: string;
}

export interface LabelColumn extends Column {
  label: string;
}

export interface Table extends Omit<Common, 'unit'> {
  /** Labels that identify rows. All queries have exactly these. */
  labels: readonly LabelColumn[];
  /** Labels that links need but the table does not show. */
  hidden?: readonly string[];
  values: readonly ValueColumn[];
  /** Header of the sort column: highest number first, or alphabetical. */
  sortBy: string;
  isAlphabetical?: boolean;
  noValue?: string;
}

const property = (id: string, value: unknown): DynamicConfigValue => ({ id, value });

/** A cell without a value has no colour. */
const nothing = {
  type: MappingType.SpecialValue,
  options: { match: SpecialValueMatch.NullAndNan, result: { text: '', color: 'transparent' } },
};

const propertiesOf = ({ unit, decimals, limits, link, words, width }: Column): DynamicConfigValue[] => [
  ...(unit === undefined ? [] : [property('unit', unit)]),
  ...(decimals === undefined ? [] : [property('decimals', decimals)]),
  ...(limits === undefined
    ? []
    : [
        property('thresholds', limits.build()),
        property('custom.cellOptions', { type: 'color-background', mode: 'basic' }),
      ]),
  ...(limits === undefined && Object.values(words ?? {}).some(({ color }) => color !== undefined)
    ? [property('custom.cellOptions', { type: 'color-text' })]
    : []),
  ...(link === undefined ? [] : [property('links', [link])]),
  ...(words === undefined && limits === undefined
    ? []
    : [
        property('mappings', [
          ...(words === undefined ? [] : [{ type: MappingType.ValueToText, options: words }]),
          ...(limits === undefined ? [] : [nothing]),
        ]),
      ]),
  // The table's text for no rows does not apply to cells.
  property('noValue', ''),
  property('custom.wrapHeaderText', true),
  ...(width === undefined ? [] : [property('custom.width', width)]),
];

/** One row per set of labels, one column per query. */
export const table = ({
  title,
  description,
  decimals,
  width,
  height = 9,
  labels,
  hidden = [],
  values,
  sortBy,
  isAlphabetical = false,
  noValue = '',
}: Table): PlacedPanel => {
  // A single query keeps the name Value.
  const valueName = (index: number): string => (values.length === 1 ? 'Value' : `Value #${refId(index)}`);
  const fields = [
    ...labels.map(({ label, name }) => [label, name] as const),
    ...values.map(({ name }, index) => [valueName(index), name] as const),
  ];
  const panel = new TableBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit('short')
    .noValue(noValue)
    .thresholds(noLimit())
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .minWidth(50)
    .targets(values.map(({ expr }, index) => target(index, expr).format(PromQueryFormat.Table).instant()))
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries([...fields.map(([field]) => field), ...hidden].map((field, at) => [field, at])),
        renameByName: Object.fromEntries(fields),
      },
    })
    .withTransformation({ id: 'sortBy', options: { sort: [{ field: sortBy, desc: !isAlphabetical }] } });
  if (decimals !== undefined) panel.decimals(decimals);
  // A label that looks like a number is text.
  for (const column of labels) panel.overrideByName(column.name, propertiesOf({ ...column, unit: 'string' }));
  for (const column of values) panel.overrideByName(column.name, propertiesOf(column));
  // Grafana 11's name, and the later one.
  for (const name of hidden)
    panel.overrideByName(name, [property('custom.hidden', true), property('custom.hideFrom.viz', true)]);
  return { panel, width, height };
};

/** One lane per query over time, coloured by its limits. */
export const lanes = ({
  title,
  description,
  unit,
  decimals = 1,
  width,
  height = 9,
  limits = noLimit(),
  queries,
  words,
}: Common & {
  queries: readonly Query[];
  words?: Readonly<Record<string, { text: string; color?: string }>>;
}): PlacedPanel => {
  const panel = new StateTimelineBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .decimals(decimals)
    .thresholds(limits)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .rowHeight(0.85)
    .fillOpacity(80)
    .lineWidth(0)
    .legend(legend())
    .tooltip(tooltip())
    .targets(queries.map(([expr, name], index) => target(index, expr).legendFormat(name).range()));
  if (words) panel.mappings([{ type: MappingType.ValueToText, options: words }]);
  return { panel, width, height };
};

/** A histogram over time. `expr` is growth by le. */
export const heatmap = ({
  title,
  description,
  unit,
  width,
  height = 8,
  expr,
}: Common & { expr: string }): PlacedPanel => {
  const panel = new heatmapPanel.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .calculate(false)
    .color(
      new heatmapPanel.HeatmapColorOptionsBuilder()
        .mode(heatmapPanel.HeatmapColorMode.Scheme)
        .scheme('Oranges')
        .steps(32)
        .exponent(0.5)
        .scale(heatmapPanel.HeatmapColorScale.Exponential),
    )
    .cellGap(1)
    .cellValues(new heatmapPanel.CellValuesBuilder().unit(unit))
    .yAxis(new heatmapPanel.YAxisConfigBuilder().unit('percentunit'))
    .filterValues(new heatmapPanel.FilterValueRangeBuilder().le(1e-9))
    .targets([target(0, expr).format(PromQueryFormat.Heatmap).legendFormat('{{le}}').range()]);
  return { panel, width, height };
};
