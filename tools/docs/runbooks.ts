import type { Alert, AlertLevel } from '../../src/pack/alerts/alert.ts';
import { isEnabled, levelOf, type AlertChanges } from '../../src/pack/alerts/changes.ts';
import { defaultPackOptions, measureOf, thresholdKey } from '../../src/pack/pack.ts';
import { seenInRuns, withoutFault } from './diagnosis.ts';
import { emptyPart, withPart } from './markers.ts';

const kinds = {
  symptom: 'Symptom: clients feel it',
  cause: 'Cause: a hop at its limit',
  meta: 'About the exporters themselves',
} as const;

const indented = (text: string): string => text.replaceAll(/^/gm, '  ');

const fires = (changes: AlertChanges, alert: Alert, alertLevel: AlertLevel): string => {
  const level = levelOf(changes, alert, alertLevel);
  const { threshold, only } = alertLevel;
  const measured = measureOf({ ...defaultPackOptions, alerts: changes }, alert, alertLevel);
  const measure = only === undefined ? measured : `(\n${indented(measured)}\n)\n  ${only}`;
  // The reason is that of the pack's own number.
  const why =
    level.threshold === threshold.value ? threshold.why : `The default is ${threshold.value}. ${threshold.why}`;
  return `- **${level.severity}** when this is over ${level.threshold} for ${level.for} (\`--set=${thresholdKey(alert, alertLevel)}=...\`). ${why}

${indented(`\`\`\`promql\n${measure}\n\`\`\``)}`;
};

/** What the pack says of an alert, for its runbook, and what the lab has shown of it. */
const facts = (alert: Alert, changes: AlertChanges): string => {
  const seen = seenInRuns(alert.name);
  const why = withoutFault.get(alert.name);
  return [
    `${kinds[alert.kind]}. Hop: ${alert.hop}.`,
    isEnabled(changes, alert)
      ? alert.levels.map((level) => fires(changes, alert, level)).join('\n')
      : 'The options file disables this alert.',
    ...(seen.length > 0 ? [`On real Xen ([docs/diagnosis.md](../docs/diagnosis.md)):`, seen.join('\n')] : []),
    ...(why === undefined ? [] : [`Not done on real Xen: ${why}.`]),
  ].join('\n\n');
};

/** The sections of a runbook, in their order. */
export const runbookSections = ['Meaning', 'Impact', 'Diagnosis', 'Mitigation', 'Prevention'] as const;

/** The runbook of an alert with its facts, as a user changes them. Throws if the page lacks a marker. */
export const withFacts = (page: string, alert: Alert, changes: AlertChanges = {}): string =>
  withPart(page, { path: `runbooks/${alert.name}.md`, marker: 'Facts' }, facts(alert, changes));

/** What must be created before the facts of an alert can be written; undefined if nothing. `page`: its runbook, undefined if there is none. */
export const runbookProblem = (alert: Alert, page: string | undefined): string | undefined => {
  const { name } = alert;
  const lines = `\n\n${emptyPart('Facts')}`;
  if (page === undefined) {
    return `runbooks/${name}.md: the alert ${name} has no runbook. Create this file with the title "# ${name}", the sections ${runbookSections.join(', ')} (as in the other runbooks), and below the title these lines:${lines}`;
  }
  try {
    withFacts(page, alert);
    return undefined;
  } catch (error) {
    return `${(error as Error).message}. Add these lines below the title:${lines}`;
  }
};

/** A command of a runbook, and the machine to type it on. */
export interface RunbookCommand {
  machine: 'dom0' | 'guest';
  command: string;
  /** Where alone it can run: one scheduler, or a machine with such hardware or with systemd; empty for anywhere. */
  only: string;
}

/** The commands of a page, in their order. */
export const commandsOf = (page: string): RunbookCommand[] =>
  [...page.matchAll(/^ *```console ?(\w*)\n([^]*?)^ *```$/gm)].flatMap(([, only, block]) =>
    [...block!.matchAll(/^ *(dom0|guest)# (.+)$/gm)].map(([, machine, command]) => ({
      machine: machine as RunbookCommand['machine'],
      command: command!,
      only: only!,
    })),
  );

/** The queries of a page. */
export const queriesOf = (page: string): string[] =>
  [...page.matchAll(/^ *```promql\n([^]*?)^ *```$/gm)].map(([, query]) => query!.trim());
