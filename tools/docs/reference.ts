import { describeFileSettings, describeFlags } from '../../src/config/usage.ts';
import { serve } from '../../src/commands/serve.ts';
import type { CollectorDefinition } from '../../src/collectors/collector.ts';
import { registry } from '../../src/collectors/registry.ts';
import { bounds, noiseShare } from '../../src/metrics/bounds.ts';
import type { Descriptor } from '../../src/metrics/descriptor.ts';
import { processMetrics } from '../../src/scrape/process-metrics.ts';
import { exporterMetrics } from '../../src/scrape/exporter-metrics.ts';
import { cipherSuites, curves, tlsVersions } from '../../src/web/config/tls-names.ts';
import { withPart } from './markers.ts';

const escapeCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const metricRow = ({ name, type, labels, meaning, source = '', versions, notes }: Descriptor): string[] => [
  `\`${name}\``,
  type,
  labels.map((label) => `\`${label}\``).join(', '),
  escapeCell(meaning),
  escapeCell(source),
  escapeCell([versions, notes].filter(Boolean).join('; ')),
];

const metricTable = (metrics: readonly Descriptor[]): string =>
  table(['Metric', 'Type', 'Labels', 'Meaning', 'Source', 'Versions and notes'], metrics.map(metricRow));

/** Plausible readings in the units of the kernel and of tools. */
const boundsTable = (): string =>
  table(
    ['Kind', 'Largest step back that is noise', 'Largest growth per second'],
    Object.entries(bounds).map(([kind, { stepBack, perSecond }]) => [
      kind,
      String(stepBack),
      perSecond.toLocaleString('en'),
    ]),
  );

const section = ({ name, help, enabledByDefault, maxSeries, metrics }: CollectorDefinition): string =>
  `## ${name}

${help}

${enabledByDefault ? 'On' : 'Off'} by default; at most ${maxSeries} series.

${metricTable(metrics)}
`;

/** docs/reference/metrics.md: every metric of every collector, from its HELP. */
export const metricsReference = (): string => `# Metrics

Made from the collectors' own HELP by \`npm run docs\`; do not edit.

${registry.map(section).join('\n')}
## The exporter itself

${metricTable([...exporterMetrics, ...processMetrics])}

## Counters that wrap, restart or show nonsense

A counter here grows by what its sources grow by. It does not go down when a source wraps or restarts at 0. A small step back is noise: it adds nothing, and the way up to the earlier maximum is not
counted again. Up to ${noiseShare * 100} % of the earlier reading is always noise, because a source that restarts begins at 0. A reading outside these bounds is absurd and adds nothing. The total continues from it, or from the reading
before it if the source returns there. A counter of 32 bits has wrapped only if it was above 2^31. \`xen_exporter_resets_total\` counts restarts and absurd readings. The bounds are those of one CPU, vCPU or
device, in the unit of the source. The growth may be that of five seconds more than have passed; all growth together, that of a tenth and five seconds more.

${boundsTable()}
`;

/** The table of flags. */
const flagTable = (): string =>
  table(
    ['Flag', 'Default', 'Meaning'],
    describeFlags(serve).map(({ syntax, default: value, help }) => [
      `\`${escapeCell(syntax)}\``,
      value && `\`${escapeCell(value)}\``,
      escapeCell(help),
    ]),
  );

/** Settings of the config file without a flag. Settings of every collector appear once, with NAME. */
const fileSettingTable = (): string => {
  const rows = describeFileSettings(serve.settings).map(({ syntax, default: value, help }) =>
    /\.(max-series|queues)$/.test(syntax)
      ? [syntax.replace(/^collector\.[^.]+/, 'collector.NAME'), '', help]
      : [syntax, value, help],
  );
  const distinct = [...new Map(rows.map((row) => [row.join('\0'), row])).values()];
  return table(
    ['Key', 'Default', 'Meaning'],
    distinct.map(([key = '', value, help = '']) =>
      [`\`${key}\``, value && `\`${value}\``, escapeCell(help)].map((cell) => cell ?? ''),
    ),
  );
};

/** docs/reference/flags.md with its tables of flags and of settings without a flag. Throws if it lacks a marker. */
export const withFlagTable = (page: string): string => {
  const path = 'docs/reference/flags.md';
  const withFlags = withPart(page, { path, marker: 'Flags' }, flagTable());
  return withPart(withFlags, { path, marker: 'Settings' }, fileSettingTable());
};

const nameTable = (what: string, names: Readonly<Record<string, string>>): string =>
  table(
    [`${what} in the file`, 'in OpenSSL and Node.js'],
    Object.entries(names).map(([ours, theirs]) => [`\`${ours}\``, `\`${theirs}\``]),
  );

/** docs/operate/security.md with its tables of names. Throws if it lacks a marker. */
export const withTlsNames = (page: string): string =>
  withPart(
    page,
    { path: 'docs/operate/security.md', marker: 'TLS names' },
    [nameTable('Cipher suite', cipherSuites), nameTable('Curve', curves), nameTable('Version', tlsVersions)].join(
      '\n\n',
    ),
  );

/** Files in rules/ with the flags of `xen-exporter rules` that generate them. */
export const ruleFiles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'xen-exporter.rules.yml': {},
  'xen-exporter.prometheusrule.yml': { format: 'operator' },
};
