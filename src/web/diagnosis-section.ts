import type { Cause, Finding, GuestVerdict, HopReading, Status, Step, Verdict } from '../diagnosis/verdict.ts';
import { printable } from '../formats/printable.ts';
import { escapeHtml } from './html.ts';
import type { LiveVerdict } from './live-diagnosis.ts';

/** The part of the style sheet for the section. */
export const diagnosisStyle = `.verdict { font-size: 1.15rem; border-left: .3rem solid; padding: .4rem .8rem; margin: 1.2rem 0 }
.verdict.ok { border-color: var(--ok); background: var(--ok-back) }
.verdict.warning { border-color: var(--warning); background: var(--warning-back) }
.verdict.critical { border-color: var(--critical); background: var(--critical-back) }
.verdict.unknown { border-color: var(--unknown); background: var(--unknown-back) }
.hops { overflow-x: auto }
.hops th, .hops td { white-space: nowrap }
pre { overflow-x: auto; padding: .5rem; border: 1px solid var(--line) }`;

const text = (value: string): string => escapeHtml(printable(value));

/** A word for each status: nothing is shown by its colour alone. */
const words: Readonly<Record<Status, string>> = {
  ok: 'ok',
  warning: 'warning',
  critical: 'critical',
  unknown: 'not seen',
};

const word = ({ status, score }: HopReading): string =>
  score === undefined ? words[status] : `${words[status]} (${score.toPrecision(2)})`;

const hopCell = (reading: HopReading): string =>
  `<td class="${reading.status}"><span class="state">${word(reading)}</span></td>`;

const guestRow = ({ name, host, status, hops }: GuestVerdict): string =>
  `<tr><th class="${status}" scope="row">${text(name)}${host === undefined ? '' : `<br><small>${text(host)}</small>`}</th>${hops.map(hopCell).join('')}</tr>`;

const hopTable = (guests: readonly GuestVerdict[]): string =>
  guests.length === 0
    ? ''
    : `<div class="hops"><table>
<thead><tr><th scope="col">Guest</th>${guests[0]!.hops.map(({ hop }) => `<th scope="col">${hop}</th>`).join('')}</tr></thead>
<tbody>
${guests.map(guestRow).join('\n')}
</tbody>
</table></div>
<p><small>In brackets: the strongest cause at this hop as a multiple of its limit.</small></p>`;

const prompts: Readonly<Record<Step['on'], string>> = { dom0: 'dom0# ', guest: 'guest# ', prometheus: '' };

const findingItem = ({ evidence, alert }: Finding): string => `<li>${text(evidence)} (${alert})</li>`;

const causeItem = ({ hop, evidence, alert, firstStep }: Cause): string =>
  `<li>${hop}: ${text(evidence)} (${alert}). Run first:<pre>${prompts[firstStep.on]}${text(firstStep.command)}</pre></li>`;

const guestDetails = ({ name, status, symptoms, causes }: GuestVerdict): string =>
  `<h3><span class="${status}"><span class="state">${words[status]}</span></span> ${text(name)}</h3>
<ul>
${[...symptoms.map(findingItem), ...causes.map(causeItem)].join('\n')}
</ul>`;

const verdictHtml = ({
  status,
  summary,
  guests,
  unseen,
  windowSeconds,
}: Verdict): string => `<p class="verdict ${status}"><strong>${words[status]}</strong>: ${text(summary)}</p>
${hopTable(guests)}
${guests
  .filter((guest) => guest.status !== 'ok')
  .map(guestDetails)
  .join('\n')}
${
  unseen.length === 0
    ? ''
    : `<details><summary>Not judged: ${unseen.length}</summary><ul>
${unseen.map(({ what, why }) => `<li>${text(what)}: ${text(why)}</li>`).join('\n')}
</ul></details>`
}
<p><small>From the scrapes of the last ${windowSeconds} s.</small></p>`;

/** The verdict in one sentence, and the table of guests by hops. */
export const diagnosisSection = ({ verdict, scrapes }: LiveVerdict): string =>
  verdict
    ? verdictHtml(verdict)
    : `<p class="verdict unknown"><strong>No verdict yet</strong>: it needs two scrapes after the page was first opened, and ${scrapes === 0 ? 'none has come' : 'one has come'}. Reload this page after the next scrapes.</p>`;
