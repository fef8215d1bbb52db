import type { CollectorStatus } from '../scrape/collector-run.ts';
import { diagnosisSection, diagnosisStyle } from './diagnosis-section.ts';
import { escapeHtml } from './html.ts';
import type { LiveVerdict } from './live-diagnosis.ts';

type State = 'collected' | 'failing' | 'absent' | 'off';

interface Row {
  readonly name: string;
  readonly help: string;
  readonly state: State;
  /** Why it is so. */
  readonly detail: string;
}

const rowOf = ({ name, help, availability, limitations, error }: CollectorStatus): Row => {
  if (availability !== true) return { name, help, state: 'absent', detail: availability.reason };
  if (error !== undefined) return { name, help, state: 'failing', detail: error };
  return { name, help, state: 'collected', detail: limitations === undefined ? '' : `without ${limitations}` };
};

const offRow = ({ name, help }: { name: string; help: string }): Row => ({
  name,
  help,
  state: 'off',
  detail: `switched off; --collector.${name} switches it on`,
});

/**
 * A path of this server as a link on the landing page, which also works behind a proxy that adds a prefix to the path.
 */
const relative = (path: string): string => `.${path}`;

const formatRow = (telemetryPath: string, { name, help, state, detail }: Row): string => {
  const url = `${relative(telemetryPath)}?collect[]=${encodeURIComponent(name)}`;
  const title = state === 'off' ? escapeHtml(name) : `<a href="${escapeHtml(url)}">${escapeHtml(name)}</a>`;
  return `<tr class="${state}">
<td>${title}</td>
<td><span class="state">${state}</span></td>
<td>${escapeHtml(help)}${detail && `<br><small>${escapeHtml(detail)}</small>`}</td>
</tr>`;
};

const alertsWithoutDataTable = (alertsWithoutData: readonly { name: string; lacks: readonly string[] }[]): string =>
  alertsWithoutData.length === 0
    ? ''
    : `<h2>Alerts that cannot work with what the last scrape gave</h2>
<p>In a guest, those of its host come from the exporter in Dom0, and the other way around. The others are blind.</p>
<table>
<thead><tr><th>Alert</th><th>Lacks</th></tr></thead>
<tbody>
${alertsWithoutData.map(({ name, lacks }) => `<tr class="absent"><td>${escapeHtml(name)}</td><td>${escapeHtml(lacks.join(', '))}</td></tr>`).join('\n')}
</tbody>
</table>`;

/** The page for people: what is collected here, what is not and why, and where to go. */
export const landingPage = (view: {
  version: string;
  telemetryPath: string;
  collectors: readonly CollectorStatus[];
  disabled: readonly { name: string; help: string }[];
  /** Alerts that do not have what they need, and the metrics that they lack. */
  alertsWithoutData: readonly { name: string; lacks: readonly string[] }[];
  diagnosis: LiveVerdict;
}): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>xen-exporter</title>
<style>
:root { color-scheme: light dark; --text: #1c2430; --quiet: #5a6675; --back: #fff; --line: #dde3ea; --link: #0b57a4;
  --ok: #14532d; --ok-back: #e3f4e6; --warning: #6b4400; --warning-back: #fdeecb; --critical: #8a1c10; --critical-back: #fde4e1;
  --unknown: #46505d; --unknown-back: #eceff3 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e9f0; --quiet: #a3adba; --back: #14181e; --line: #333c48; --link: #8cc2ff;
    --ok: #b5e8bf; --ok-back: #14351d; --warning: #ffd98a; --warning-back: #443007; --critical: #ffb4a9; --critical-back: #571a12;
    --unknown: #c3ccd6; --unknown-back: #2b333d }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
h2 { font-size: 1.1rem; margin: 2rem 0 0 }
p.version { color: var(--quiet); margin-top: 0 }
a { color: var(--link) }
nav a { margin-right: 1.2rem }
table { border-collapse: collapse; width: 100%; margin-top: 1rem }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem .45rem 0; border-top: 1px solid var(--line) }
small { color: var(--quiet) }
small, td:last-child { overflow-wrap: anywhere }
.state { border-radius: .3rem; padding: .1rem .45rem; font-size: .85rem; background: var(--ok-back); color: var(--ok) }
.failing .state, .critical .state { background: var(--critical-back); color: var(--critical) }
.warning .state { background: var(--warning-back); color: var(--warning) }
.absent .state, .off .state, .unknown .state { background: var(--unknown-back); color: var(--unknown) }
${diagnosisStyle}
</style>
</head>
<body>
<h1>xen-exporter</h1>
<p class="version">version ${escapeHtml(view.version)}: the TCP accept path of Xen hosts and guests</p>
<nav>
<a href="${escapeHtml(relative(view.telemetryPath))}">Metrics</a>
<a href="${relative('/-/healthy')}">Health</a>
<a href="${relative('/-/ready')}">Readiness</a>
<a href="${relative('/-/diagnosis')}">Verdict as JSON</a>
</nav>
${diagnosisSection(view.diagnosis)}
<h2>Collectors</h2>
<table>
<thead><tr><th>Collector</th><th>State</th><th>What it reads</th></tr></thead>
<tbody>
${[...view.collectors.map(rowOf), ...view.disabled.map(offRow)]
  .map((row) => formatRow(view.telemetryPath, row))
  .join('\n')}
</tbody>
</table>
${alertsWithoutDataTable(view.alertsWithoutData)}
</body>
</html>
`;
