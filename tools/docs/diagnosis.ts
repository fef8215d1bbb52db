// The recorded runs of npm run lab:faults, rendered for the docs.
import type { RecordedFault } from '../../lab/faults/recorded-fault.ts';
import { recordings } from '../../lab/faults/recordings.ts';
import { withPart } from './markers.ts';

/** Alerts that no lab fault raises, with the reason. Only unit tests cover their rules. */
export const withoutFault: ReadonlyMap<string, string> = new Map([
  ['XenHostNotMarked', 'it is about the Prometheus configuration, and the lab marks its host; promtool tests it'],
  ['XenGuestUuidConflict', 'it needs a guest that makes false claims; promtool tests it'],
  [
    'XenHostWithoutDomains',
    'the units refuse to start on the wrong machine, which the lab tests; promtool tests the alert',
  ],
  ['XenExporterHelperDown', 'it is about systemd units, and the faults run in a lab without them; promtool tests it'],
  ['XenExporterCertificateExpiring', 'no lab certificate is old enough; promtool tests it'],
  ['XenExporterWebConfigRejected', 'the lab uses no web config file; promtool tests it'],
  ['XenExporterSeriesDropped', 'it needs thousands of guests or listeners; promtool tests it'],
  ['XenExporterNamespacesUnread', 'it is about privileges of the exporter; promtool tests it'],
  ['XenExporterInventoryStale', 'it is about a schedule that the lab does not use; promtool tests it'],
  ['XenWatchdog', 'it always fires, in every run'],
  [
    'XenGrantOperationsHigh',
    'its threshold is an absolute rate: emulation reaches some 500 slots a second, and the alert needs 500 000 operations',
  ],
  [
    'XenNetbackSaturated',
    'an emulated guest refuses connections long before: no netback thread used more than 0.12 of a CPU in any run',
  ],
  [
    'XenSpuriousEvents',
    'it needs a frontend that sends several spurious events in a row, and no guest of the lab does',
  ],
  [
    'XenGrantFramesNearLimit',
    'a guest near its limit must be booted with a lower limit, and only a boot with a higher limit ends that',
  ],
  ['XenGuestCpuSaturated', 'its fault own-cpu (`npm run lab:faults -- own-cpu`) is not recorded yet'],
  ['XenFastOpenQueueOverflow', 'the load of the lab sends no data in its SYNs; promtool tests it'],
  ['XenFastOpenWithoutCookies', 'the load of the lab sends no data in its SYNs; promtool tests it'],
  [
    'XenHostHarmsGuests',
    'its fault host-starved (`npm run lab:faults -- host-starved`) is not recorded yet; promtool tests it',
  ],
  ['XenGuestHarmedByHost', 'it fires with `XenHostHarmsGuests`'],
  ['XenCauseChanged', 'each fault of the lab has one cause; promtool tests it'],
  [
    'XenGuestExporterMissing',
    'it is about guests that Prometheus no longer scrapes; if a guest does not answer, `XenExporterDown` fires',
  ],
]);

const scoreName = 'uuid_cause:xen_accept_path_cause_score:ratio';
type Values = readonly (number | null)[];

/** The greatest value of these scrapes. */
const most = (values: Values, from: number, to: number): number =>
  Math.max(0, ...values.slice(from, to + 1).map((value) => value ?? 0));

const scoresOf = ({ rows }: RecordedFault): [cause: string, values: Values][] =>
  Object.entries(rows).flatMap(([series, values]): [string, Values][] => {
    const [, cause] = new RegExp(`^${scoreName}\\{.*cause="(\\w+)"`).exec(series) ?? [];
    return cause === undefined ? [] : [[cause, values]];
  });

const plot = { width: 760, height: 240, left: 40, right: 220, top: 24, bottom: 28 };
const scoreRange = [0.5, 100] as const;
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f', '#8c564b'];

/** Draws every cause's score through near miss, fault and recovery, in minutes of the rules' time. */
export const picture = (title: string, fault: RecordedFault): string => {
  const { intervalSeconds, slots } = fault;
  const length = Math.max(...Object.values(fault.rows).map((values) => values.length));
  const inner = { width: plot.width - plot.left - plot.right, height: plot.height - plot.top - plot.bottom };
  const x = (slot: number): number => plot.left + (slot / (length - 1)) * inner.width;
  const y = (score: number): number => {
    const [low, high] = scoreRange.map(Math.log) as [number, number];
    const share = (Math.log(Math.min(Math.max(score, scoreRange[0]), scoreRange[1])) - low) / (high - low);
    return plot.top + (1 - share) * inner.height;
  };
  const at = (value: number): string => value.toFixed(1);
  const lines = scoresOf(fault)
    .map(([cause, values]) => ({ cause, values, peak: most(values, 0, length) }))
    .toSorted((a, b) => b.peak - a.peak)
    .slice(0, colours.length)
    .map(({ cause, values, peak }, index) => {
      const path = values
        .map((value, slot) =>
          value === null ? '' : `${(values[slot - 1] ?? null) === null ? 'M' : 'L'}${at(x(slot))} ${at(y(value))}`,
        )
        .join('');
      const row = plot.top + 12 + index * 16;
      return `<path d="${path}" fill="none" stroke="${colours[index]}" stroke-width="2"/>
<text x="${plot.width - plot.right + 12}" y="${row}" fill="${colours[index]}">${cause} ${peak.toPrecision(2)}</text>`;
    });
  const marks = (
    [
      ['fault', slots.begun, '#c00'],
      ['told', slots.told, '#c00'],
      ['undone', slots.undone, '#080'],
    ] as const
  ).map(([name, slot, colour], index) =>
    slot === undefined
      ? ''
      : `<path d="M${at(x(slot))} ${plot.top}V${plot.height - plot.bottom}" stroke="${colour}" stroke-dasharray="${index === 1 ? '2 3' : '6 3'}"/>
<text x="${at(x(slot))}" y="${plot.top - 6}" text-anchor="middle" fill="${colour}">${name}</text>`,
  );
  const minutes = ((length - 1) * intervalSeconds) / 60;
  const ticks = Array.from({ length: Math.floor(minutes / 10) + 1 }, (_, index) => {
    const slot = (index * 600) / intervalSeconds;
    return `<text x="${at(x(slot))}" y="${plot.height - 10}" text-anchor="middle">${index * 10} min</text>`;
  });
  const levels = [1, 10, 100].map(
    (score) =>
      `<path d="M${plot.left} ${at(y(score))}h${inner.width}" stroke="#8888" ${score === 1 ? '' : 'stroke-dasharray="1 4"'}/><text x="${plot.left - 6}" y="${at(y(score) + 4)}" text-anchor="end">${score}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${plot.width} ${plot.height}" font-family="sans-serif" font-size="11">
<title>${title}</title>
<rect width="100%" height="100%" fill="#fff"/>
${[...levels, ...ticks, ...marks, ...lines].filter(Boolean).join('\n')}
</svg>
`;
};

const seconds = (value: number | undefined): string => (value === undefined ? 'never' : `${value} s`);

const tableRow = (name: string, { verdict, expected, speed }: RecordedFault): string => {
  const told = verdict.told
    .map(({ alert, domain, cause }) => `${alert} (${[domain, cause].filter(Boolean).join(': ') || 'host'})`)
    .join(', ');
  const cells = expected
    ? [seconds(verdict.toldAfterSeconds), String(verdict.pages), seconds(verdict.resolvedAfterSeconds)]
    : ['', String(verdict.falsePages.length), ''];
  return `| \`${name}\` | ${speed}× | ${verdict.isRight ? 'yes' : '**no**'} | ${told || 'nothing'} | ${cells.join(' | ')} | ${verdict.falsePages.length} |`;
};

/** The guest's rows that the fault changed most, from near miss to fault. */
const moved = ({ rows, slots }: RecordedFault): string[] =>
  Object.entries(rows)
    .filter(([series]) => !series.startsWith(scoreName) && !/:info|:count|timestamp|:min\{/.test(series))
    .map(([series, values]) => {
      const before = values[Math.max(0, slots.begun - 1)] ?? 0;
      const after = most(values, slots.injected, slots.undone ?? values.length);
      return { name: series.replace(/\{.*/, ''), before, after };
    })
    .filter(({ before, after }) => after > 0.01 && after > 2 * before)
    .toSorted((a, b) => b.after / (b.before + 0.01) - a.after / (a.before + 0.01))
    .slice(0, 8)
    .map(({ name, before, after }) => `| \`${name}\` | ${before.toPrecision(2)} | ${after.toPrecision(2)} |`);

/** Cause scores when the expected alert fired, the highest first. */
const scoresWhenTold = (fault: RecordedFault): { cause: string; score: number }[] =>
  scoresOf(fault)
    .map(([cause, values]) => ({ cause, score: values[fault.slots.told ?? -1] ?? 0 }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score);

/** The results of an alert, or of a cause that a page named, in the runs: a line of Markdown each. */
export const seenInRuns = (alert: string): string[] =>
  [...recordings]
    .filter(
      ([, { expected, verdict }]) =>
        verdict.isRight && expected && [expected.alert, ...(expected.causes ?? [])].includes(alert),
    )
    .map(([name, fault]) => {
      const { verdict, expected } = fault;
      const score = scoresWhenTold(fault).find(({ cause }) => cause === alert)?.score;
      const what = [
        `${verdict.title}: ${expected!.alert === alert ? 'fired' : `named by ${expected!.alert}, which fired`} ${verdict.toldAfterSeconds} s after injection`,
        ...(score === undefined ? [] : [`at ${score.toPrecision(2)} times the threshold`]),
      ].join(', ');
      // An alert that resolved before the mitigation shows nothing about it.
      const end =
        verdict.isMitigated && verdict.resolvedAfterSeconds !== 0
          ? `Resolved ${verdict.resolvedAfterSeconds} s after mitigation, load unchanged.`
          : `Resolved ${verdict.resolvedAfterSeconds} s after the end of the fault.`;
      return `- \`${name}\`, ${what}. ${end}`;
    });

/** Link to a runbook from pages in docs/internals. */
const runbookLink = (alert: string): string => `[${alert}](../../runbooks/${alert}.md)`;

const scorePicture = (name: string): string => `![Scores of all causes](diagnosis/${name}.svg)`;

const section = (name: string, fault: RecordedFault): string => {
  const { verdict, expected } = fault;
  const causes = scoresWhenTold(fault).map(({ cause, score }) => `${runbookLink(cause)} ${score.toPrecision(3)}`);
  return `## ${name}: ${verdict.title}

Expected: ${expected!.alert}${expected!.causes ? `, by ${expected!.causes.join(' or ')}` : ''}. Fired ${seconds(verdict.toldAfterSeconds)} after injection. Cause scores at that time: ${causes.join(', ') || 'none'}.

${scorePicture(name)}

| Row | before | in the fault |
| --- | -----: | -----------: |
${moved(fault).join('\n')}`;
};

/** Faults whose pictures docs/internals/diagnosis.md shows: each that pages, on one of both schedulers. */
const shown = (all: readonly (readonly [name: string, fault: RecordedFault])[]): string[] =>
  all
    .filter(([name, { expected, verdict }]) => expected && verdict.pages > 0 && name.startsWith('credit-'))
    .map(([name, { verdict }]) => `### ${name}: ${verdict.title}\n\n${scorePicture(name)}`);

/** docs/internals/diagnosis.md with the results of the last runs. Throws if the page lacks a marker. */
export const withResults = (page: string): string => {
  const all = [...recordings];
  const table = `| Fault or load | Clock | Right | Alerts | after | Pages | Resolved after | False pages |
| ------------- | ----: | ----- | ---- | ----: | ----: | ---------: | ----------: |
${all.map(([name, fault]) => tableRow(name, fault)).join('\n')}`;
  const unseen = `### No fault raises

${[...withoutFault].map(([alert, why]) => `- ${runbookLink(alert)}: ${why}.`).join('\n')}`;
  const part = { path: 'docs/internals/diagnosis.md', marker: 'Results' };
  return withPart(page, part, [table, ...shown(all), unseen].join('\n\n'));
};

/** docs/internals/diagnosis-faults.md with a section for each fault. Throws if the page lacks a marker. */
export const withFaults = (page: string): string => {
  const sections = [...recordings].filter(([, { expected }]) => expected).map(([name, fault]) => section(name, fault));
  return withPart(page, { path: 'docs/internals/diagnosis-faults.md', marker: 'Faults' }, sections.join('\n\n'));
};
