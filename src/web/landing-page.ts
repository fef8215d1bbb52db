import type { CollectorStatus } from '../scrape/collector-run.ts';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character]!);

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

/** A path of this server as a link on the landing page, which also works behind a proxy that adds a prefix to the path. */
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
}): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>xen-exporter</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
h2 { font-size: 1.1rem; margin: 2rem 0 0 }
p.version { color: #5a6675; margin-top: 0 }
nav a { margin-right: 1.2rem }
table { border-collapse: collapse; width: 100%; margin-top: 1rem }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem .45rem 0; border-top: 1px solid #dde3ea }
small { color: #5a6675 }
.state { border-radius: .3rem; padding: .1rem .45rem; font-size: .85rem; background: #e3f4e6; color: #14532d }
.failing .state { background: #fde4e1; color: #8a1c10 }
.absent .state, .off .state { background: #eceff3; color: #46505d }
</style>
</head>
<body>
<h1>xen-exporter</h1>
<p class="version">version ${escapeHtml(view.version)}: the TCP accept path of Xen hosts and guests</p>
<nav>
<a href="${escapeHtml(relative(view.telemetryPath))}">Metrics</a>
<a href="${relative('/-/healthy')}">Health</a>
<a href="${relative('/-/ready')}">Readiness</a>
</nav>
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
