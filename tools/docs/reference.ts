import { describeFlags } from '../../src/config/usage.ts';
import { flagsOf } from '../../src/config/flags.ts';
import type { CollectorDefinition } from '../../src/collectors/collector.ts';
import { registry } from '../../src/collectors/registry.ts';
import type { Descriptor } from '../../src/metrics/descriptor.ts';
import { processMetrics } from '../../src/scrape/process-metrics.ts';
import { selfMetrics } from '../../src/scrape/exporter-metrics.ts';
import { cipherSuites, curves, tlsVersions } from '../../src/web/config/tls-names.ts';

const escapeCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const metricRow = ({ name, type, labels, help }: Descriptor): string[] => [
  `\`${name}\``,
  type,
  labels.map((label) => `\`${label}\``).join(', '),
  escapeCell(help),
];

const metricTable = (metrics: readonly Descriptor[]): string =>
  table(['Metric', 'Type', 'Labels', 'Meaning and source'], metrics.map(metricRow));

const cadences = {
  live: 'read during the scrape',
  guarded: 'read in the background, at a least interval',
  scheduled: 'read every few minutes',
} as const;

const section = ({ name, help, enabledByDefault, cadence, maxSeries, metrics }: CollectorDefinition): string =>
  `## ${name}

${help}

${enabledByDefault ? 'On' : 'Off'} by default; ${cadences[cadence]}; at most ${maxSeries} series.

${metricTable(metrics)}
`;

/** docs/metrics.md: every metric of every collector, in the words of its own HELP. */
export const metricsReference = (): string => `# Metrics

Made from the collectors' own HELP by \`npm run docs\`; do not edit.

${registry.map(section).join('\n')}
## The exporter itself

${metricTable([...selfMetrics, ...processMetrics])}
`;

/** The README's table of flags. */
export const flagTable = (): string =>
  table(
    ['Flag', 'Default', 'Meaning'],
    describeFlags(flagsOf(registry)).map(({ syntax, default: value, help }) => [
      `\`${escapeCell(syntax)}\``,
      value && `\`${escapeCell(value)}\``,
      escapeCell(help),
    ]),
  );

const end = '<!-- prettier-ignore-end -->';

/** A page with what stands in the place that NAME marks made anew. Throws where the page has no such place. */
const withMade = (name: string, page: string, made: string): string => {
  const begin = `<!-- ${name}: made by npm run docs. -->\n<!-- prettier-ignore-start -->`;
  const before = page.indexOf(begin);
  const after = page.indexOf(end, before);
  if (before < 0 || after < 0) throw new Error(`expected "${begin}" and "${end}" after it`);
  return `${page.slice(0, before + begin.length)}\n\n${made}\n\n${page.slice(after)}`;
};

/** The README with its table of flags. */
export const withFlagTable = (readme: string): string => withMade('Flags', readme, flagTable());

const nameTable = (what: string, names: Readonly<Record<string, string>>): string =>
  table(
    [`${what} in the file`, 'in OpenSSL and Node.js'],
    Object.entries(names).map(([ours, theirs]) => [`\`${ours}\``, `\`${theirs}\``]),
  );

/** docs/security.md with its tables of names. */
export const withTlsNames = (page: string): string =>
  withMade(
    'TLS names',
    page,
    [nameTable('Cipher suite', cipherSuites), nameTable('Curve', curves), nameTable('Version', tlsVersions)].join(
      '\n\n',
    ),
  );

/** The files in rules/, and the arguments of `xen-exporter rules` that make them. */
export const ruleFiles: Readonly<Record<string, readonly string[]>> = {
  'xen-exporter.rules.yml': [],
  'xen-exporter.prometheusrule.yml': ['--format=operator'],
};
