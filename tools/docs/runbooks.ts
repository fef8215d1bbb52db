import type { Alert, AlertLevel } from '../../src/pack/alerts/alert.ts';
import { isEnabled, levelOf, type AlertChanges } from '../../src/pack/alerts/changes.ts';
import { defaultPackOptions, measureOf, thresholdKey } from '../../src/pack/pack.ts';
import { seenInRuns, withoutFault } from './diagnosis.ts';
import { emptyPart, hasPart, withPart } from './markers.ts';

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
  // The reason applies to the pack's own number.
  const why =
    level.threshold === threshold.value ? threshold.why : `The default is ${threshold.value}. ${threshold.why}`;
  return `- **${level.severity}** when this is over ${level.threshold} for ${level.for} (\`--set=${thresholdKey(alert, alertLevel)}=...\`). ${why}

${indented(`\`\`\`promql\n${measure}\n\`\`\``)}`;
};

/** Facts from the pack for the head of an alert's runbook. */
const facts = (alert: Alert, changes: AlertChanges): string =>
  [
    `${kinds[alert.kind]}. Hop: ${alert.hop}.`,
    isEnabled(changes, alert)
      ? alert.levels.map((level) => fires(changes, alert, level)).join('\n')
      : 'The options file disables this alert.',
  ].join('\n\n');

/** Lab results of an alert for the end of its runbook. */
const labFacts = ({ name }: Alert): string => {
  const seen = seenInRuns(name);
  const why = withoutFault.get(name);
  return [
    ...(seen.length > 0 ? [`On real Xen ([diagnosis](../docs/internals/diagnosis.md)):`, seen.join('\n')] : []),
    ...(why === undefined ? [] : [`Not tested on real Xen: ${why}.`]),
  ].join('\n\n');
};

/** Sections of a runbook in order. */
export const runbookSections = [
  'First minute',
  'Is it this?',
  'Stop the harm',
  'Escalate',
  'For good',
  'Background',
] as const;

/** A page with the markers of lab results, at its end unless they are already elsewhere. */
const withLabMarkers = (page: string): string =>
  hasPart(page, 'Lab') ? page : `${page.trimEnd()}\n\n${emptyPart('Lab')}`;

/** An alert's runbook with its facts, including a user's changes. Throws if the page lacks the head's marker. */
export const withFacts = (page: string, alert: Alert, changes: AlertChanges = {}): string => {
  const path = `runbooks/${alert.name}.md`;
  const withHead = withPart(page, { path, marker: 'Facts' }, facts(alert, changes));
  return withPart(withLabMarkers(withHead), { path, marker: 'Lab' }, labFacts(alert));
};

/**
 * Names what must be created before an alert's facts can be written. Undefined if nothing. `page` is its runbook,
 * undefined if there is none.
 */
export const runbookProblem = (alert: Alert, page: string | undefined): string | undefined => {
  const { name } = alert;
  const lines = `\n\n${emptyPart('Facts')}`;
  if (page === undefined) {
    return `runbooks/${name}.md: the alert ${name} has no runbook. Create this file with the title "# ${name}", the sections ${runbookSections.map((title) => `"${title}"`).join(', ')} (as in the other runbooks), and below the title these lines:${lines}`;
  }
  try {
    withFacts(page, alert);
    return undefined;
  } catch (error) {
    return `${(error as Error).message}. Add these lines below the title:${lines}`;
  }
};
