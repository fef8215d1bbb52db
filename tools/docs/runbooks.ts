import { degreesOf, type Alert, type Degree } from '../../src/pack/alert.ts';
import { defaultPackOptions, measureOf, thresholdKey } from '../../src/pack/pack.ts';
import { seenInRuns, withoutFault } from './diagnosis.ts';
import { withPart } from './markers.ts';

const kinds = {
  symptom: 'Symptom: clients feel it',
  cause: 'Cause: a hop at its limit',
  meta: 'About the exporters themselves',
} as const;

const fires = (alert: Alert, degree?: Degree): string => {
  const { severity, threshold } = degree ?? alert;
  const measured = measureOf(defaultPackOptions, alert, degree);
  const measure = degree?.only ? `(${measured}) ${degree.only}` : measured;
  return `- **${severity}** when this is over ${threshold.value} for ${alert.for} (\`--set=${thresholdKey(alert, degree)}=...\`). ${threshold.why}

  \`\`\`promql
  ${measure}
  \`\`\``;
};

/** What the pack says of an alert, for its runbook, and what the lab has shown of it. */
const facts = (alert: Alert): string => {
  const seen = seenInRuns(alert.name);
  const why = withoutFault.get(alert.name);
  return [
    `${kinds[alert.kind]}. Hop: ${alert.hop}.`,
    degreesOf(alert)
      .map((degree) => fires(alert, degree))
      .join('\n'),
    ...(seen.length > 0 ? [`On real Xen ([docs/diagnosis.md](../docs/diagnosis.md)):`, seen.join('\n')] : []),
    ...(why === undefined ? [] : [`Not done on real Xen: ${why}.`]),
  ].join('\n\n');
};

/** The runbook of an alert with its facts. Throws if the page lacks a marker. */
export const withFacts = (page: string, alert: Alert): string =>
  withPart(page, { path: `runbooks/${alert.name}.md`, marker: 'Facts' }, facts(alert));

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
