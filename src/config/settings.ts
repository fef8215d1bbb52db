import { maxSeriesOption } from './collector-options.ts';
import { globalOptions } from './global-options.ts';
import { switchOption, type Option, type Options } from './option.ts';

/** A setting: a key of the config file and, unless its option prevents it, a flag of the same name. */
export interface Setting {
  /** Name of the flag, without the dashes. */
  readonly name: string;
  /** Path in the config file. */
  readonly path: readonly string[];
  readonly option: Option;
}

/** The configurable part of a collector. */
export interface ConfigurableCollector {
  /** The NAME in `--collector.NAME`. */
  readonly name: string;
  /** One sentence: what it reads. */
  readonly help: string;
  readonly enabledByDefault: boolean;
  /** Its series limit unless another one is set. */
  readonly maxSeries: number;
  /** Its own options, `collector.NAME.OPTION`. */
  readonly options: Options;
}

/** Setting of an option. The dots of the name are the levels of the config file unless `path` is given. */
const setting = (name: string, option: Option, path = name.split('.')): Setting => ({ name, option, path });

/** Settings of these options. */
export const settingsOf = (options: Options): Setting[] =>
  Object.entries(options).map(([name, option]) => setting(name, option));

const collectorSettings = ({ name, help, enabledByDefault, maxSeries, options }: ConfigurableCollector): Setting[] => [
  setting(`collector.${name}`, switchOption({ help, default: enabledByDefault }), ['collector', name, 'enabled']),
  setting(`collector.${name}.max-series`, maxSeriesOption(maxSeries)),
  ...Object.entries(options).map(([option, spec]) => setting(`collector.${name}.${option}`, spec)),
];

/** All settings with these collectors. */
export const allSettings = (collectors: readonly ConfigurableCollector[]): Setting[] => [
  ...settingsOf(globalOptions),
  ...collectors.flatMap(collectorSettings),
];

/** The settings that have flags. */
export const flagsOf = (settings: readonly Setting[]): Setting[] => settings.filter(({ option }) => !option.isFileOnly);
