// npm run docs: writes what the docs and the rules take from the code.
import { readFileSync, writeFileSync } from 'node:fs';
import { rulesCommand } from '../src/cli/rules-command.ts';
import { alerts } from '../src/pack/alerts.ts';
import { metricsReference, ruleFiles, withFlagTable, withTlsNames } from './reference.ts';
import { withFacts } from './runbooks.ts';

const file = (name: string): URL => new URL(name, import.meta.url);

writeFileSync(file('metrics.md'), metricsReference());
writeFileSync(file('../README.md'), withFlagTable(readFileSync(file('../README.md'), 'utf8')));
writeFileSync(file('security.md'), withTlsNames(readFileSync(file('security.md'), 'utf8')));
for (const [name, args] of Object.entries(ruleFiles)) writeFileSync(file(`../rules/${name}`), rulesCommand(args));
for (const alert of alerts) {
  const page = file(`../runbooks/${alert.name}.md`);
  writeFileSync(page, withFacts(readFileSync(page, 'utf8'), alert));
}
