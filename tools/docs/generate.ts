// npm run docs: generates docs, rules and dashboards from the code. `-- --options.file=FILE` changes alerts.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { recordings } from '../../lab/faults/recordings.ts';
import { dashboardsFor, filesOf } from '../dashboards/dashboards.ts';
import { renderRules } from '../../src/commands/rules.ts';
import { readOptionsFile } from '../../src/commands/options-file.ts';
import { UsageError } from '../../src/config/usage-error.ts';
import type { AlertChanges } from '../../src/pack/alerts/changes.ts';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import { compiledModule } from './compiled-pack.ts';
import { picture, withFaults, withResults } from './diagnosis.ts';
import { metricsReference, ruleFiles, withFlagTable, withTlsNames } from './reference.ts';
import { runbookProblem, withFacts } from './runbooks.ts';

const { values: given } = parseArgs({ options: { 'options.file': { type: 'string' } } });

const changesOf = (path: string | undefined): AlertChanges => {
  try {
    return readOptionsFile(path);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return process.exit(2);
  }
};
const changes = changesOf(given['options.file']);

/** Files with their paths below the project's folder. */
const inFolder = (folder: string, files: readonly (readonly [name: string, text: string])[]): Record<string, string> =>
  Object.fromEntries(files.map(([name, text]) => [`${folder}/${name}`, text]));

const file = (name: string): URL => new URL(`../../${name}`, import.meta.url);

const read = (name: string): string => readFileSync(file(name), 'utf8');

const runbooks = new Map(
  alerts.map((alert) => {
    const name = `runbooks/${alert.name}.md`;
    return [alert, existsSync(file(name)) ? read(name) : undefined] as const;
  }),
);
const problems = [...runbooks].flatMap(([alert, page]) => runbookProblem(alert, page) ?? []);
if (problems.length > 0) {
  console.error(`${problems.join('\n')}\nNothing was written. CONTRIBUTING.md lists the parts of a new alert.`);
  process.exit(1);
}

// Generate everything before writing: an error leaves all files unchanged.
const files: Readonly<Record<string, string>> = {
  'docs/reference/metrics.md': metricsReference(),
  'docs/reference/flags.md': withFlagTable(read('docs/reference/flags.md')),
  'docs/operate/security.md': withTlsNames(read('docs/operate/security.md')),
  ...inFolder(
    'rules',
    Object.entries(ruleFiles).map(([name, args]) => [name, renderRules({ ...given, ...args })]),
  ),
  ...inFolder('grafana/dashboards', Object.entries(filesOf(dashboardsFor(changes)))),
  ...inFolder(
    'runbooks',
    [...runbooks].map(([alert, page]) => [`${alert.name}.md`, withFacts(page!, alert, changes)]),
  ),
  'src/diagnosis/compiled-text.ts': compiledModule((name) => read(`runbooks/${name}.md`)),
  'docs/internals/diagnosis.md': withResults(read('docs/internals/diagnosis.md')),
  'docs/internals/diagnosis-faults.md': withFaults(read('docs/internals/diagnosis-faults.md')),
  ...inFolder(
    'docs/internals/diagnosis',
    [...recordings].map(([name, fault]) => [`${name}.svg`, picture(fault.verdict.title, fault)]),
  ),
};

mkdirSync(file('docs/internals/diagnosis'), { recursive: true });
for (const [name, text] of Object.entries(files)) writeFileSync(file(name), text);
