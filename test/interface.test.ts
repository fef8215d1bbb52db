// Not in a folder of src/ because the interface spans them: metrics, commands, config file, recording rules and alerts.
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { registry } from '../src/collectors/registry.ts';
import { commands } from '../src/commands/registry.ts';
import type { Setting } from '../src/config/settings.ts';
import { describeFileSettings, describeFlags, type SettingText } from '../src/config/usage.ts';
import type { Descriptor } from '../src/metrics/descriptor.ts';
import { defaultPackOptions, rulePack } from '../src/pack/pack.ts';
import { exporterMetrics } from '../src/scrape/exporter-metrics.ts';
import { processMetrics } from '../src/scrape/process-metrics.ts';

const metricLines = (from: string, metrics: readonly Descriptor[]): string[] =>
  metrics.map(({ name, type, labels }) => `metric ${name} ${type} {${labels.toSorted().join(', ')}} from ${from}`);

const settingLine = (kind: string, { syntax, default: value }: SettingText): string =>
  `${kind} ${syntax}${value && ` default ${value}`}`;

/** Keys of the config file that differ from flag names: those without a flag, and `collector.NAME.enabled`. */
const keyLines = (settings: readonly Setting[]): string[] => [
  ...describeFileSettings(settings).map((text) => settingLine('key', text)),
  ...settings
    .filter(({ name, path, option }) => !option.isFileOnly && path.join('.') !== name)
    .map(({ name, path }) => `key ${path.join('.')} as --${name}`),
];

const rules = rulePack(defaultPackOptions).flatMap((group) => group.rules);

const loadedCommands = await Promise.all(commands.map((entry) => entry.load()));

const lines = [
  ...registry.flatMap(({ name, metrics }) => metricLines(name, metrics)),
  ...metricLines('the exporter', [...exporterMetrics, ...processMetrics]),
  ...commands.map(({ name }, index) => `command ${name}${index === 0 ? ' default' : ''}`),
  ...loadedCommands.flatMap((command) =>
    describeFlags(command).map((text) => settingLine(`flag ${command.name}`, text)),
  ),
  ...loadedCommands.filter(({ readsConfigFile }) => readsConfigFile).flatMap(({ settings }) => keyLines(settings)),
  ...rules.map((rule) => ('record' in rule ? `record ${rule.record}` : `alert ${rule.alert} ${rule.labels.severity}`)),
];

const howToAccept = `The interface differs from test/fixtures/interface.txt. Users' dashboards, alerts, flags and config files depend on it.
If the change is intended, describe it in CHANGELOG.md and accept it with
    npx vitest run --project unit test/interface.test.ts --update
`;

test('the interface is that of the snapshot', async () => {
  const text = `${[...new Set(lines)].toSorted().join('\n')}\n`;
  await expect(text, howToAccept).toMatchFileSnapshot(resolve(import.meta.dirname, 'fixtures/interface.txt'));
});
