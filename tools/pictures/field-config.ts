import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  FieldConfigOptionsRegistry,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
  type DataFrame,
  type FieldConfigPropertyItem,
  type GrafanaTheme2,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';
import type { Panel } from './panel.ts';

const standard = [
  'unit',
  'decimals',
  'min',
  'max',
  'noValue',
  'thresholds',
  'color',
  'mappings',
  'links',
  'displayName',
];
const custom = [
  'align',
  'axisSoftMax',
  'minWidth',
  'wrapHeaderText',
  'inspect',
  'lineWidth',
  'fillOpacity',
  'showPoints',
  'thresholdsStyle',
  'stacking',
  'cellOptions',
  'width',
  'hidden',
  'hideFrom.viz',
];

const item = (id: string, isCustom: boolean): FieldConfigPropertyItem => ({
  id: isCustom ? `custom.${id}` : id,
  path: id,
  name: id,
  isCustom,
  editor: () => null,
  override: () => null,
  process: (value) => value,
  shouldApply: () => true,
});

const registry = new FieldConfigOptionsRegistry(() => [
  ...standard.map((id) => item(id, false)),
  ...custom.map((id) => item(id, true)),
]);

standardTransformersRegistry.setInit(
  () =>
    [...new Map(Object.values(standardTransformers).map((each) => [each.id, each])).values()].map((transformation) => ({
      id: transformation.id,
      name: transformation.name,
      transformation: () => Promise.resolve(transformation),
      editor: () => null,
      imageDark: '',
      imageLight: '',
    })) as never,
);

/** Throws if the panel uses a feature that is not drawn here. */
const check = ({ title, fieldConfig, transformations = [] }: Panel): void => {
  const ids = [
    ...Object.keys(fieldConfig.defaults).filter((key) => key !== 'custom'),
    ...Object.keys(fieldConfig.defaults.custom ?? {}).map((key) => `custom.${key}`),
    ...fieldConfig.overrides.flatMap(({ properties }) => properties.map(({ id }) => id)),
  ];
  const unknown = ids.filter((id) => !registry.getIfExists(id));
  const unknownSteps = transformations.filter(({ id }) => !standardTransformersRegistry.getIfExists(id));
  if (unknown.length + unknownSteps.length > 0)
    throw new Error(`${title}: ${[...unknown, ...unknownSteps.map(({ id }) => id)].join(' ')}`);
};

/** Frames as a panel receives them: transformed, with field options and overrides. */
export const prepared = async (frames: DataFrame[], panel: Panel, theme: GrafanaTheme2): Promise<DataFrame[]> => {
  check(panel);
  const transformed = await lastValueFrom(transformDataFrame([...(panel.transformations ?? [])], frames));
  const drawn = applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig as never,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
    fieldConfigRegistry: registry,
  });
  cacheFieldDisplayNames(drawn);
  return drawn;
};
