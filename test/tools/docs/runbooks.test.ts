import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seenInRuns, withoutFault } from '../../../tools/docs/diagnosis.ts';
import { commandsOf, queriesOf, runbookProblem, runbookSections, withFacts } from '../../../tools/docs/runbooks.ts';
import type { AlertChange } from '../../../src/pack/alerts/changes.ts';
import { guestArgument, guestCommand, instanceArgument } from '../../../src/pack/alerts/alert.ts';
import { alertNamed, alerts } from '../../../src/pack/alerts/alerts.ts';
import { defaultPackOptions, rulePack } from '../../../src/pack/pack.ts';
import { exportedMetrics, metricsIn } from '../../support/promql.ts';
import { project } from '../../../tools/lib/project.ts';

const folder = join(project, 'runbooks');
const read = (name: string): string => readFileSync(resolve(folder, name), 'utf8');
const places = ['', 'credit', 'credit2', 'rtds', 'hardware', 'systemd', 'containers'];

test('every alert has its runbook, and every runbook its alert', () => {
  const pages = alerts.map(({ name }) => `${name}.md`);
  expect(readdirSync(folder).sort()).toEqual([...pages, 'README.md'].sort());
});

test('the index leads to every page', () => {
  const index = read('README.md');
  expect(alerts.filter(({ name }) => !index.includes(`(${name}.md)`)).map(({ name }) => name)).toEqual([]);
});

test.each(readdirSync(folder))('links of %s lead somewhere', (name) => {
  const targets = [...read(name).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
  const local = targets.filter((target) => !target.startsWith('https://'));
  expect(local.filter((target) => !readdirSync(folder).includes(target) && !target.startsWith('../'))).toEqual([]);
});

const known = new Set([
  ...exportedMetrics,
  ...rulePack(defaultPackOptions).flatMap(({ rules }) =>
    rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
  ),
]);

describe.each(alerts.map((alert) => [alert.name, alert] as const))('%s', (name, alert) => {
  const page = read(`${name}.md`);

  test('has its title, its facts as npm run docs writes them, and all sections', () => {
    expect(page).toBe(withFacts(page, alert));
    expect(page.startsWith(`# ${name}\n`)).toBe(true);
    expect([...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(runbookSections);
    expect(page.slice(page.indexOf('## Diagnosis'), page.indexOf('## Mitigation'))).toContain('Look-alikes:');
    expect(page).toContain('**The trade-off:**');
  });

  test('was told on real Xen, or it says why not', () => {
    expect(seenInRuns(name).length > 0).toBe(!withoutFault.has(name));
  });

  test('has the command that its notification says', () => {
    const [, command = ''] = /^(?:(?:dom0|guest)# )?(.*)$/.exec(alert.command)!;
    const typed = command
      .replace(guestCommand('').slice('guest# '.length), '')
      .replaceAll(guestArgument, 'domu1')
      .replaceAll(instanceArgument, 'localhost:28697');
    expect(commandsOf(page).map((each) => each.command)).toContain(typed);
  });

  test('has commands and queries that can be checked', () => {
    const commands = commandsOf(page);
    // Whatever looks like a command is one.
    expect(commands).toHaveLength([...page.matchAll(/^ *(?:dom0|guest)# /gm)].length);
    for (const { only, command } of commands) {
      expect(places).toContain(only);
      expect(command).not.toMatch(/Domain0|debug-keys|<\w+>|\.\.\.|…/);
    }
    const metrics = queriesOf(page).flatMap(metricsIn);
    expect(metrics.filter((metric) => !known.has(metric))).toEqual([]);
  });
});

test('facts are those of the alert as a user changes it', () => {
  const facts = (name: string, change: AlertChange): string =>
    withFacts(read(`${name}.md`), alertNamed(name), { [name]: change });
  expect(facts('XenVcpuStarved', { threshold: 0.25, for: '1h', severity: 'info' })).toContain(
    '- **info** when this is over 0.25 for 1h (`--set=XenVcpuStarved.threshold=...`). The default is 0.3. ',
  );
  expect(facts('XenVcpuStarved', { disabled: true })).toContain('The options file disables this alert.');
});

describe('before npm run docs writes anything, it names what a runbook needs', () => {
  const alert = alertNamed('XenVcpuStarved');
  const page = read('XenVcpuStarved.md');
  const lines =
    '\n\n<!-- Facts: made by npm run docs. -->\n<!-- prettier-ignore-start -->\n\n<!-- prettier-ignore-end -->\n';

  test('a page that does not exist', () => {
    expect(runbookProblem(alert, undefined)).toBe(
      `runbooks/XenVcpuStarved.md: the alert XenVcpuStarved has no runbook. Create this file with the title "# XenVcpuStarved", the sections Meaning, Impact, Diagnosis, Mitigation, Prevention (as in the other runbooks), and below the title these lines:${lines}`,
    );
  });

  test('a page without the markers', () => {
    expect(runbookProblem(alert, '# XenVcpuStarved\n')).toBe(
      String.raw`runbooks/XenVcpuStarved.md: expected "<!-- Facts: made by npm run docs. -->\n<!-- prettier-ignore-start -->", found none` +
        `. Add these lines below the title:${lines}`,
    );
  });

  test('a page that follows them: nothing', () => {
    expect(runbookProblem(alert, page)).toBeUndefined();
    expect(runbookProblem(alert, `# XenVcpuStarved${lines}`)).toBeUndefined();
  });
});
