import { printable } from '../formats/printable.ts';
import type { Hop } from '../pack/alerts/alert.ts';
import type { Cause, Finding, GuestVerdict, HopReading, Mitigation, Status, Step, Unseen, Verdict } from './verdict.ts';

const columns = 80;

/** Colours a text, or returns it as it is. */
export type Paint = (text: string, status: Status) => string;

const codes: Readonly<Record<Status, string>> = { ok: '32', warning: '33', critical: '31;1', unknown: '36' };

/** Colours of a terminal. */
export const inColour: Paint = (text, status) => `\u001b[${codes[status]}m${text}\u001b[0m`;

/** No colours. */
export const plain: Paint = (text) => text;

/** Names of hops that fit over the columns of the table. */
const columnOf: Readonly<Record<Exclude<Hop, 'exporter'>, string>> = {
  uplink: 'uplnk',
  vif: 'vif',
  netback: 'netbk',
  'grant table': 'grant',
  'event channel': 'evtch',
  'Dom0 vCPU': 'd0cpu',
  vCPU: 'vcpu',
  netfront: 'front',
  'SYN queue': 'synq',
  'accept queue': 'accq',
};
const cellWidth = 6;
const nameWidth = columns - cellWidth * Object.keys(columnOf).length - 1;

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}~` : text);

const words: Readonly<Record<Status, string>> = { ok: 'ok', warning: 'WARN', critical: 'CRIT', unknown: '?' };

/** A score that is near its limit, in place of `ok`. */
const cellText = ({ status, score }: HopReading): string =>
  status === 'ok' && score !== undefined ? score.toPrecision(2).slice(0, cellWidth - 1) : words[status];

/** The table of guests by hops. */
export const hopTable = (guests: readonly GuestVerdict[], paint: Paint): string => {
  const header = ['guest'.padEnd(nameWidth), ...Object.values(columnOf).map((name) => name.padStart(cellWidth))];
  const rows = guests.map(({ name, status, hops }) =>
    [
      paint(cut(printable(name), nameWidth).padEnd(nameWidth), status),
      ...hops.map((hop) => paint(cellText(hop).padStart(cellWidth), hop.status)),
    ].join(''),
  );
  return [header.join(''), ...rows].join('\n');
};

/** Breaks a text between words, and indents all lines but the first. */
const wrapped = (text: string, indent: number): string => {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`);
};

const labelWidth = 10;
const entry = (label: string, text: string): string => `  ${label.padEnd(labelWidth)}${wrapped(text, labelWidth + 2)}`;

const prompts: Readonly<Record<Step['on'], string>> = { dom0: 'dom0#', guest: 'guest#', prometheus: '$' };

/** A command stays on one line, because it is to be copied. */
const command = (label: string, { on, command: text }: Step): string =>
  `  ${label.padEnd(labelWidth)}${prompts[on]} ${printable(text)}`;

const commands = (label: string, steps: readonly Step[]): string[] =>
  steps.map((step, index) => command(index === 0 ? label : '', step));

const mitigationText = (cause: Cause, { title, effect, only, save, do: steps, verify, undo }: Mitigation): string[] => [
  entry('Cure', `${title === 'Stop the harm' ? '' : `${title}. `}${effect}${only === '' ? '' : ` (${only} only)`}`),
  ...commands('Set', cause.setUp),
  ...commands('Save', save),
  ...commands('Do', steps),
  ...commands('Verify', verify),
  ...commands('Undo', undo),
];

const labelsText = (labels: Finding['labels']): string => {
  const texts = Object.entries(labels).map(([name, value]) => `${name} ${value}`);
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`;
};

const causeText = (label: string, { hop, alert, evidence, labels }: Cause): string =>
  entry(label, `${hop}: ${evidence}${labelsText(labels)} [${alert}]`);

/** The strongest cause with its first command. */
const strongestText = (causes: readonly Cause[]): string[] => {
  const [strongest] = causes;
  if (!strongest) return [entry('Cause', 'no hop is near its limit')];
  return [causeText('Cause', strongest), command('First', strongest.firstStep)];
};

const otherCauseText = (cause: Cause): string => causeText(cause.score > 1 ? 'Also' : 'Near', cause);

/** The strongest cause with its first command and its first cure, and the other causes in a line each. */
const causesText = (causes: readonly Cause[]): string[] => {
  const [strongest, ...others] = causes;
  if (!strongest) return strongestText(causes);
  const [mitigation, ...more] = strongest.mitigations;
  return [
    ...strongestText(causes),
    ...(mitigation ? mitigationText(strongest, mitigation) : []),
    ...(more.length > 0 ? [entry('Or', more.map(({ title }) => title).join('; '))] : []),
    entry('Runbook', `runbooks/${strongest.runbook}`),
    ...others.map(otherCauseText),
  ];
};

const guestText = (guest: GuestVerdict, paint: Paint, about: (causes: readonly Cause[]) => string[]): string => {
  const { name, uuid, host, status, symptoms, causes } = guest;
  const title = `${status.toUpperCase()} ${printable(name)}${host === undefined ? '' : ` on ${printable(host)}`} (uuid ${printable(uuid)})`;
  return [
    paint(title, status),
    ...symptoms.map(({ evidence, labels }) => entry('Symptom', `${evidence}${labelsText(labels)}`)),
    // A guest that is not in trouble needs no cure.
    ...(status === 'ok' ? causes.map(otherCauseText) : about(causes)),
  ].join('\n');
};

const unseenText = (unseen: readonly Unseen[]): string =>
  ['Not judged', ...unseen.map(({ what, why }) => `  ${wrapped(`${what}: ${why}`, 4)}`)].join('\n');

/** The sentence, and the table of guests by hops. */
const headText = ({ status, summary, guests }: Verdict, paint: Paint): string[] => {
  const label = status.toUpperCase();
  return [
    `${paint(label, status)} ${wrapped(summary, label.length + 1)}`,
    ...(guests.length > 0 ? [hopTable(guests, paint)] : []),
  ];
};

/** A verdict for a terminal of 80 columns. Commands stay on one line. */
export const verdictText = (verdict: Verdict, paint: Paint): string => {
  const { guests, hosts, exporters, unseen } = verdict;
  const parts = [
    ...headText(verdict, paint),
    ...guests
      .filter((guest) => guest.status !== 'ok' || guest.causes.length > 0)
      .map((guest) => guestText(guest, paint, causesText)),
    ...hosts
      .filter((host) => host.status !== 'ok')
      .map((host) =>
        [
          paint(`${host.status.toUpperCase()} host ${printable(host.instance)}`, host.status),
          ...causesText(host.causes),
        ].join('\n'),
      ),
    ...(exporters.length > 0
      ? [
          [
            'Exporters',
            ...exporters.map(
              ({ instance, alert, evidence }) => `  ${wrapped(`${instance}: ${evidence} [${alert}]`, 4)}`,
            ),
          ].join('\n'),
        ]
      : []),
    ...(unseen.length > 0 ? [unseenText(unseen)] : []),
  ];
  return `${parts.join('\n\n')}\n`;
};

/** A verdict that fits on a screen: without cures and causes that are near their limits. */
export const overviewText = (verdict: Verdict, paint: Paint): string =>
  `${[
    ...headText(verdict, paint),
    ...verdict.guests.filter(({ status }) => status !== 'ok').map((guest) => guestText(guest, paint, strongestText)),
  ].join('\n\n')}\n`;
