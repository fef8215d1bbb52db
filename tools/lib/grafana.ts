import type { Dashboard, Panel, RowPanel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Prometheus } from './prometheus.ts';

/** A query of a panel, a variable or an annotation. */
export interface DashboardQuery {
  /** Dashboard, panel and refId. */
  where: string;
  expr: string;
  isInstant: boolean;
  panel?: Panel;
}

const isRow = (panel: Panel | RowPanel): panel is RowPanel => panel.type === 'row';

/** All panels, including those in collapsed rows. */
export const panelsOf = ({ panels = [] }: Dashboard): Panel[] =>
  panels.flatMap((panel) => (isRow(panel) ? (panel.panels ?? []) : [panel]));

/** Panels in collapsed rows. */
export const collapsedPanelsOf = ({ panels = [] }: Dashboard): Panel[] =>
  panels.flatMap((panel) => (isRow(panel) ? (panel.panels ?? []) : []));

export const rowsOf = ({ panels = [] }: Dashboard): RowPanel[] => panels.filter(isRow);

interface PrometheusTarget {
  refId: string;
  expr: string;
  instant?: boolean;
  range?: boolean;
  format?: string;
  legendFormat?: string;
}

export const targetsOf = (panel: Panel): PrometheusTarget[] => (panel.targets ?? []) as unknown as PrometheusTarget[];

export const panelQueries = (dashboard: Dashboard): DashboardQuery[] =>
  panelsOf(dashboard).flatMap((panel) =>
    targetsOf(panel).map(({ refId, expr, instant = false }) => ({
      where: `${dashboard.title} / ${panel.title} ${refId}`,
      expr,
      isInstant: instant,
      panel,
    })),
  );

export const annotationQueries = (dashboard: Dashboard): DashboardQuery[] =>
  (dashboard.annotations?.list ?? []).map(({ name, expr }) => ({
    where: `${dashboard.title} / annotation ${name}`,
    expr: expr!,
    isInstant: false,
  }));

export const variablesOf = ({ templating }: Dashboard): VariableModel[] => templating?.list ?? [];

/** Parses a Prometheus variable query: its selector, and the label or the whole series. */
export const variableQuery = ({ query }: VariableModel): { selector: string; label?: string } | undefined => {
  const text = typeof query === 'object' ? String(query['query']) : '';
  const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(text) ?? [];
  if (selector !== undefined) return { selector, label: label! };
  const [, expr] = /^query_result\((.*)\)$/.exec(text) ?? [];
  return expr === undefined ? undefined : { selector: expr };
};

/** Values of variables by name, in query syntax. */
export type Choice = Readonly<Record<string, string>>;

/** Replaces variables in an expression like Grafana. Throws if a variable has no value. */
export const interpolated = (expr: string, choice: Choice): string =>
  expr.replaceAll(/\$([a-z_]\w*)/g, (_, name: string) => {
    const value = choice[name];
    if (value === undefined) throw new Error(`no value for $${name} in ${expr}`);
    return value;
  });

const escaped = (value: string): string => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\\\$&');

/** Joins values like Grafana for a regular expression. */
const oneOf = (values: readonly string[]): string =>
  values.length === 1 ? escaped(values[0]!) : `(${values.map(escaped).join('|')})`;

/** Options of a variable, given the other choices. */
export const optionsOf = async (
  prometheus: Prometheus,
  variable: VariableModel,
  choice: Choice,
): Promise<{ text: string; value: string }[]> => {
  const asked = variableQuery(variable);
  if (!asked) throw new Error(`${variable.name}: no query of Prometheus: ${JSON.stringify(variable.query)}`);
  const series = await prometheus.query(interpolated(asked.selector, choice));
  const options = series.flatMap(({ metric }): { text: string; value: string }[] => {
    if (asked.label !== undefined) return [{ text: metric[asked.label]!, value: metric[asked.label]! }];
    const { __name__, ...labels } = metric;
    const line = `${__name__}{${Object.entries(labels)
      .map(([name, value]) => `${name}="${value}"`)
      .join(',')}} 1 1`;
    const pattern = new RegExp(variable.regex!.replaceAll(/^\/|\/$/g, ''));
    const groups = pattern.exec(line)?.groups;
    return groups ? [{ text: groups['text']!, value: groups['value']! }] : [];
  });
  return [...new Map(options.map((option) => [option.value, option])).values()];
};

/** Stands for All, or for each value if the variable has no All. */
export const everything = '$__all';

/** Choice of all variables of a dashboard: `set`, and for the others their JSON's default. */
export const choiceOf = async (
  prometheus: Prometheus,
  dashboard: Dashboard,
  set: Choice,
  rateInterval: string,
): Promise<Choice> => {
  const choice: Record<string, string> = { __rate_interval: rateInterval };
  for (const variable of variablesOf(dashboard)) {
    const wanted = set[variable.name];
    if (wanted !== undefined && wanted !== everything) {
      choice[variable.name] = wanted;
    } else if (variable.type === 'query') {
      const options = await optionsOf(prometheus, variable, choice);
      const isAll =
        wanted === everything ||
        (variable.includeAll && (variable.current as { value?: string[] } | undefined)?.value?.[0] === '$__all');
      choice[variable.name] = isAll
        ? (variable.includeAll && variable.allValue) || oneOf(options.map(({ value }) => value))
        : escaped(options[0]?.value ?? '');
    } else {
      choice[variable.name] = String((variable.current as { value?: unknown } | undefined)?.value ?? '');
    }
  }
  return choice;
};
