// npm run docs: writes what the docs, the rules and the dashboards take from the code. `-- --options.file=FILE` changes alerts.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { recordings } from '../../lab/faults/recordings.ts';
import { dashboardsFor, filesOf } from '../dashboards/dashboards.ts';
import { renderRules } from '../../src/commands/rules.ts';
import { readOptionsFile } from '../../src/commands/options-file.ts';
import { UsageError } from '../../src/config/usage-error.ts';
import type { AlertChanges } from '../../src/pack/alert-changes.ts';
import { alerts } from '../../src/pack/alerts.ts';
import { picture, withResults } from './diagnosis.ts';
import { metricsReference, ruleFiles, withFlagTable, withTlsNames } from './reference.ts';
import { withFacts } from './runbooks.ts';

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

const file = (name: string): URL => new URL(`../../${name}`, import.meta.url);

writeFileSync(file('docs/metrics.md'), metricsReference());
writeFileSync(file('README.md'), withFlagTable(readFileSync(file('README.md'), 'utf8')));
writeFileSync(file('docs/security.md'), withTlsNames(readFileSync(file('docs/security.md'), 'utf8')));
for (const [name, args] of Object.entries(ruleFiles)) {
  writeFileSync(file(`rules/${name}`), renderRules({ ...given, ...args }));
}
for (const [name, text] of Object.entries(filesOf(dashboardsFor(changes)))) {
  writeFileSync(file(`grafana/dashboards/${name}`), text);
}
for (const alert of alerts) {
  const page = file(`runbooks/${alert.name}.md`);
  writeFileSync(page, withFacts(readFileSync(page, 'utf8'), alert, changes));
}

const diagnosis = file('docs/diagnosis.md');
writeFileSync(diagnosis, withResults(readFileSync(diagnosis, 'utf8')));
mkdirSync(file('docs/diagnosis'), { recursive: true });
for (const [name, fault] of recordings) {
  writeFileSync(file(`docs/diagnosis/${name}.svg`), picture(fault.verdict.title, fault));
}
