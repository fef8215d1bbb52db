import type {
  Cause,
  Finding,
  GuestVerdict,
  HopReading,
  Mitigation,
  Status,
  Step,
  Verdict,
} from '../diagnosis/verdict.ts';
import { printable } from '../formats/printable.ts';
import { escapeHtml } from './html.ts';
import type { ListenerReading } from './listener-readings.ts';
import type { LiveVerdict } from './live-diagnosis.ts';

/**
 * The part of the style sheet for the section. On a narrow screen each guest is a block of cells that name their hop.
 */
export const diagnosisStyle = `.verdict { font-size: 1.15rem; border-left: .3rem solid; padding: .4rem .8rem; margin: 1.2rem 0 }
.verdict.ok { border-color: var(--ok); background: var(--ok-back) }
.verdict.warning { border-color: var(--warning); background: var(--warning-back) }
.verdict.critical { border-color: var(--critical); background: var(--critical-back) }
.verdict.unknown { border-color: var(--unknown); background: var(--unknown-back) }
.hops { overflow-x: auto; font-size: .85rem }
.hops th, .hops td { padding-right: .4rem }
.hops .state { white-space: nowrap; padding: .1rem .25rem }
pre { overflow-x: auto; padding: .5rem; margin: .3rem 0; border: 1px solid var(--line) }
@media (max-width: 60rem) {
  .hops thead { display: none }
  .hops tbody th { display: block }
  .hops td { display: inline-block; border: 0; padding: .15rem .8rem .15rem 0 }
  .hops td::before { content: attr(data-hop) ' '; color: var(--quiet) }
}`;

const text = (value: string): string => escapeHtml(printable(value));

const badge = (status: Status, word: string): string =>
  `<span class="${status}"><span class="state">${word}</span></span>`;

/** A word for each status: nothing is shown by its colour alone. */
const hopWords: Readonly<Record<Status, string>> = {
  ok: 'ok',
  warning: 'warning',
  critical: 'critical',
  unknown: 'not seen',
};

const hopCell = ({ hop, status, score }: HopReading): string => {
  const word = score === undefined ? hopWords[status] : `${hopWords[status]} ${score.toPrecision(2)}`;
  return `<td data-hop="${hop}">${badge(status, word)}</td>`;
};

const guestRow = ({ name, status, hops }: GuestVerdict): string =>
  `<tr><th scope="row">${text(name)}<br>${badge(status, status)}</th>${hops.map(hopCell).join('')}</tr>`;

const hopTable = (guests: readonly GuestVerdict[]): string =>
  guests.length === 0
    ? ''
    : `<div class="hops"><table>
<thead><tr><th scope="col">Guest</th>${guests[0]!.hops.map(({ hop }) => `<th scope="col">${hop}</th>`).join('')}</tr></thead>
<tbody>
${guests.map(guestRow).join('\n')}
</tbody>
</table></div>
<p><small>Numbers: the strongest cause at this hop as a multiple of its limit.</small></p>`;

const prompts: Readonly<Record<Step['on'], string>> = { dom0: 'dom0# ', guest: 'guest# ', prometheus: '' };

const commands = (steps: readonly Step[]): string =>
  `<pre>${steps.map(({ on, command }) => `${prompts[on]}${text(command)}`).join('\n')}</pre>`;

const labelled = (label: string, steps: readonly Step[]): string =>
  steps.length === 0 ? '' : `<p>${label}:</p>${commands(steps)}`;

const mitigationItem = (cause: Cause, { title, effect, only, save, do: steps, verify, undo }: Mitigation): string =>
  `<details><summary>${text(title)}${title.includes(only) ? '' : ` (${text(only)} only)`}</summary>
<p>${text(effect)}</p>
${labelled('Set', cause.setUp)}${labelled('Save', save)}${labelled('Do', steps)}${labelled('Verify', verify)}${labelled('Undo', undo)}
</details>`;

const findingItem = ({ evidence, alert }: Finding): string => `<li>${text(evidence)} (${alert})</li>`;

const causeItem = (cause: Cause): string => {
  const { hop, evidence, alert, firstStep, mitigations } = cause;
  return `<li>${hop}: ${text(evidence)} (${alert}). Run first:${commands([firstStep])}${mitigations.map((each) => mitigationItem(cause, each)).join('\n')}</li>`;
};

const troubleOf = (
  name: string,
  { status, symptoms, causes }: Pick<GuestVerdict, 'status' | 'symptoms' | 'causes'>,
): string =>
  `<h3>${badge(status, status)} ${text(name)}</h3>
<ul>
${[...symptoms.map(findingItem), ...causes.map(causeItem)].join('\n')}
</ul>`;

const mostListeners = 20;

const share = (ratio: number | undefined): string =>
  ratio === undefined ? '' : `${Number((ratio * 100).toPrecision(2))} %`;

const listenerRow = ({ address, port, netns, service, length, limit, fullRatio, drops }: ListenerReading): string =>
  `<tr><td>${text(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)}${[service, netns]
    .filter((each) => each !== '')
    .map((each) => `<br><small>${text(each)}</small>`)
    .join(
      '',
    )}</td><td>${length}${limit === undefined ? '' : ` of ${limit}`}</td><td>${share(fullRatio)}</td><td>${drops ?? ''}</td></tr>`;

const listenerTable = (listeners: readonly ListenerReading[]): string =>
  listeners.length === 0
    ? ''
    : `<h2>Listeners</h2>
<table>
<thead><tr><th scope="col">Listener</th><th scope="col">Accept queue</th><th scope="col">Full for</th><th scope="col">Dropped attempts</th></tr></thead>
<tbody>
${listeners.slice(0, mostListeners).map(listenerRow).join('\n')}
</tbody>
</table>
<p><small>Between the last two scrapes.${listeners.length > mostListeners ? ` The fullest ${mostListeners} of ${listeners.length}.` : ''}</small></p>`;

const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/T(.*)\..*/, ' $1 UTC');

const verdictHtml = ({ time, status, summary, guests, hosts, unseen, windowSeconds }: Verdict): string =>
  `<p class="verdict ${status}"><strong>${status}</strong>: ${text(summary)}</p>
${hopTable(guests)}
${[
  ...guests.filter((guest) => guest.status !== 'ok').map((guest) => troubleOf(guest.name, guest)),
  ...hosts.filter((host) => host.status !== 'ok').map((host) => troubleOf(`host ${host.instance}`, host)),
].join('\n')}
${
  unseen.length === 0
    ? ''
    : `<details><summary>Not judged: ${unseen.length}</summary><ul>
${unseen.map(({ what, why }) => `<li>${text(what)}: ${text(why)}</li>`).join('\n')}
</ul></details>`
}
<p><small>From the scrapes of the ${windowSeconds} s before ${timeOf(time * 1000)}.</small></p>`;

const noVerdict = ({ scrapes, since }: LiveVerdict): string =>
  `<p class="verdict unknown"><strong>No verdict yet</strong>: watching since ${timeOf(since)}, ${scrapes === 0 ? 'no scrape has' : 'one scrape has'} come. The verdict needs two scrapes of all metrics. Ask again after the next ones.</p>`;

/** The verdict in one sentence, the table of guests by hops, and in a guest its listeners. */
export const diagnosisSection = (live: LiveVerdict): string =>
  `<h2>Verdict</h2>
${live.verdict ? verdictHtml(live.verdict) : noVerdict(live)}
${listenerTable(live.listeners ?? [])}`;
