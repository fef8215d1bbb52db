import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seenInRuns, withoutFault } from '../../../tools/docs/diagnosis.ts';
import { commandFaults, isHalfRun, runbookFaults } from '../../../tools/docs/runbook-checks.ts';
import { commandsOf, placeholdersIn, queriesOf, sectionOf, substituted } from '../../../tools/docs/runbook-commands.ts';
import { runbookProblem, withFacts } from '../../../tools/docs/runbooks.ts';
import type { AlertChange } from '../../../src/pack/alerts/changes.ts';
import { guestArgument, guestCommand, instanceArgument } from '../../../src/pack/alerts/alert.ts';
import { alertNamed, alerts } from '../../../src/pack/alerts/alerts.ts';
import { defaultPackOptions, rulePack } from '../../../src/pack/pack.ts';
import { exportedMetrics, metricsIn } from '../../support/promql.ts';
import { project } from '../../../tools/lib/project.ts';

const folder = join(project, 'runbooks');
const read = (name: string): string => readFileSync(resolve(folder, name), 'utf8');
/** Whether a shell refuses the command. Runs nothing. */
const isRefusedByShell = (command: string): boolean => spawnSync('bash', ['-n', '-c', command]).status !== 0;

test('every alert has its runbook, and every runbook its alert', () => {
  const pages = alerts.map(({ name }) => `${name}.md`);
  expect(readdirSync(folder).sort()).toEqual([...pages, 'README.md'].sort());
});

test('the index leads to every page', () => {
  const index = read('README.md');
  expect(alerts.filter(({ name }) => !index.includes(`(${name}.md)`)).map(({ name }) => name)).toEqual([]);
});

const known = new Set([
  ...exportedMetrics,
  ...rulePack(defaultPackOptions).flatMap(({ rules }) =>
    rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
  ),
]);

describe.each(alerts.map((alert) => [alert.name, alert] as const))('%s', (name, alert) => {
  const page = read(`${name}.md`);

  test('has its title, and its facts as npm run docs writes them', () => {
    expect(page).toBe(withFacts(page, alert));
    expect(page.startsWith(`# ${name}\n`)).toBe(true);
  });

  test('has the form of a runbook, and commands that are safe to type on any host', () => {
    expect(runbookFaults(page)).toEqual([]);
  });

  test.skipIf(alert.kind === 'meta')('says how long a page stays after the cure', () => {
    expect(sectionOf(page, 'Stop the harm')).toContain('10 to 14 minutes');
  });

  test('was told on real Xen, or it says why not', () => {
    expect(seenInRuns(name).length > 0).toBe(!withoutFault.has(name));
  });

  test('has the command that its notification says', () => {
    const [, command = ''] = /^(?:(?:dom0|guest)# )?(.*)$/.exec(alert.command)!;
    const plain = command
      .replace(guestCommand('').slice('guest# '.length), '')
      .replaceAll(instanceArgument, 'localhost:28697');
    // A notification names the guest; a page has its name and domid in variables.
    const typed = ['"$G"', '"$D"', '$D'].map((guest) =>
      plain.replaceAll(`$(xl domid ${guestArgument})`, '$D').replaceAll(guestArgument, guest),
    );
    expect(commandsOf(page).map((each) => each.command)).toEqual(
      expect.arrayContaining([expect.toSatisfy((each: string) => typed.includes(each))]),
    );
  });

  test('has queries of metrics that exist', () => {
    expect(
      queriesOf(page)
        .flatMap(metricsIn)
        .filter((metric) => !known.has(metric)),
    ).toEqual([]);
  });
});

test('the index has commands that are safe to type on any host', () => {
  expect(commandFaults(read('README.md'))).toEqual([]);
});

test.each(readdirSync(folder))(
  'a shell understands the commands of %s, and none whose placeholders are left',
  (name) => {
    const commands = commandsOf(read(name)).map(({ command }) => command);
    const values = Object.fromEntries(commands.flatMap(placeholdersIn).map((each) => [each, '7']));
    expect(commands.filter((command) => isRefusedByShell(substituted(command, values)))).toEqual([]);
    const bare = commands.filter((command) => placeholdersIn(command.replaceAll(/'[^']*'|"[^"]*"/g, '')).length > 0);
    expect(bare.filter((command) => isHalfRun(command) || !isRefusedByShell(command))).toEqual([]);
  },
);

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
      `runbooks/XenVcpuStarved.md: the alert XenVcpuStarved has no runbook. Create this file with the title "# XenVcpuStarved", the sections "First minute", "Is it this?", "Stop the harm", "Escalate", "For good", "Background" (as in the other runbooks), and below the title these lines:${lines}`,
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
