import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dump, load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { alertNamed } from '../../src/pack/alerts/alerts.ts';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { startAlertmanager, type Alertmanager, type PostedAlert } from '../../tools/lib/alertmanager.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';
import { annotationsOf, type Expected } from '../pack/scenario.ts';
import { startMailServer, type Mail, type MailServer } from '../support/mail-server.ts';

// The texts of xen.tmpl as a real Alertmanager sends them to Slack, by e-mail and to PagerDuty. The annotations are
// those that the rules' scenarios expect from Prometheus.

type Receiver = Record<string, Record<string, unknown>[]>;

/** The example's routes and inhibition. Every alert goes to the example's receivers for Slack, e-mail and PagerDuty. */
const configure = (folder: TempTree, mailPort: number): string => {
  const read = (name: string): string => readFileSync(join(project, 'alertmanager', name), 'utf8');
  const config = load(read('alertmanager.yml')) as { receivers: { name: string }[] };
  const { receivers } = load(read('receivers.yml')) as { receivers: Receiver[] };
  const firstOf = (kind: string): Record<string, unknown> => receivers.flatMap((each) => each[kind] ?? [])[0]!;
  const { auth_username: _, auth_password: __, ...email } = firstOf('email_configs');
  const all = {
    slack_configs: [{ ...firstOf('slack_configs'), api_url: 'http://127.0.0.1:1/slack' }],
    pagerduty_configs: [{ ...firstOf('pagerduty_configs'), url: 'http://127.0.0.1:1/pagerduty' }],
    email_configs: [{ ...email, smarthost: `127.0.0.1:${mailPort}`, require_tls: false }],
  };
  folder.write({
    'alertmanager.yml': dump({ ...config, receivers: config.receivers.map(({ name }) => ({ name, ...all })) }),
    'xen.tmpl': read('xen.tmpl'),
  });
  return folder.path('alertmanager.yml');
};

interface Texts {
  slack: { title: string; text: string; fallback: string; color: string };
  pagerduty: { action: string; summary: string; severity: string; details: Record<string, string> };
  mail: Mail;
}

/** The single notification of each channel since the last call. */
const receivedFrom = (alertmanager: Alertmanager, mailServer: MailServer) => {
  let count = 0;
  return async (): Promise<Texts> => {
    const of = (path: string): unknown[] =>
      alertmanager.requests.filter((each) => each.path === path).map(({ body }) => body);
    const index = count++;
    await until('a notification of each channel', () =>
      [of('slack'), of('pagerduty'), mailServer.mails].every(({ length }) => length > index),
    );
    expect([of('slack'), of('pagerduty'), mailServer.mails].map(({ length }) => length)).toEqual([count, count, count]);
    const { attachments } = of('slack')[index] as { attachments: Texts['slack'][] };
    const event = of('pagerduty')[index] as {
      event_action: string;
      payload: { summary: string; severity: string; custom_details: Record<string, string> };
    };
    const { summary, severity, custom_details: details } = event.payload;
    return {
      slack: attachments[0]!,
      pagerduty: { action: event.event_action, summary, severity, details },
      mail: mailServer.mails[index]!,
    };
  };
};

const startsAt = '2026-02-03T04:05:06Z';
const endsAt = '2026-02-03T04:17:36Z';
const host = { host: 'dom0-1:28697' };
const web = { ...host, domain: 'web', uuid: '6c9ee902-e8b7-484d-b5a1-502d89e835de' };

/** An alert as Prometheus sends it. */
const alertOf = (expected: Expected, labels: Record<string, string>): PostedAlert => {
  const alert = alertNamed(expected.alert);
  const severity = expected.severity ?? alert.levels[0].severity;
  return {
    labels: { alertname: alert.name, kind: alert.kind, severity, ...labels },
    annotations: annotationsOf(alert, expected, labels, defaultPackOptions.scrapeIntervalSeconds),
    startsAt,
  };
};

const stolen = 'XenVcpuStarved (56 % of wanted CPU time is stolen, limit 30 %)';
const waits = 'XenCreditExhaustion (vCPUs are ready but wait 41 % of the time, limit 20 %)';
const shortBacklog =
  'XenListenBacklogTooSmall (the accept queue needs 5.0 times its limit to hold the connections of one second, limit 1)';
const page: Expected = {
  alert: 'XenAcceptQueueOverflow',
  value: '100 %',
  attempts: { dropped: 738, accepted: 6000 },
  causes: [stolen, waits],
  scope: [1, 23],
};
const guests = Array.from({ length: 20 }, (_, index) => `web${String(index + 1).padStart(2, '0')}`);

/** The texts with which a group's notification must begin: guest, host, cause and command. */
interface Scenario {
  alerts: PostedAlert[];
  first: readonly string[];
}

const scenarios: Readonly<Record<string, Scenario>> = {
  'starved-guest': {
    alerts: [alertOf(page, web)],
    first: ['web', 'dom0-1', 'XenVcpuStarved', 'Run on host dom0-1: ', 'xl vcpu-list'],
  },
  'no-cause': {
    alerts: [alertOf({ ...page, causes: [] }, web)],
    first: ['web', 'dom0-1', 'no cause found', 'Run on guest web: ', 'ss -ltn'],
  },
  'changed-cause': {
    alerts: [
      alertOf({ ...page, causes: [shortBacklog] }, web),
      alertOf(
        { ...page, alert: 'XenCauseChanged', causes: [shortBacklog], before: 'XenVcpuStarved' },
        { ...web, cause: 'XenListenBacklogTooSmall' },
      ),
    ],
    first: ['web', 'dom0-1', 'XenListenBacklogTooSmall', 'Run on guest web: ', 'ss -ltnp'],
  },
  'harmed-guests': {
    alerts: [
      alertOf(
        {
          alert: 'XenHostHarmsGuests',
          value: '',
          guests,
          scope: [20, 23],
          causes: ['XenDom0Starved (50 % of the wanted CPU time of Dom0 is stolen, limit 20 %)', waits],
        },
        { ...host, instance: host.host },
      ),
    ],
    first: ['20 of its 23 guests', 'dom0-1', 'XenDom0Starved', 'Run on host dom0-1: ', 'xl vcpu-list'],
  },
  container: {
    alerts: [alertOf({ ...page, causes: [shortBacklog] }, { ...web, netns: `docker-${'4f1c'.repeat(16)}.scope` })],
    first: ['web (docker-4f1c', 'dom0-1', 'XenListenBacklogTooSmall', 'Run on guest web: ', 'nsenter'],
  },
  'unwatched-guest': {
    alerts: [alertOf({ alert: 'XenVifDropping', severity: 'critical', value: '10%' }, web)],
    first: ['web', 'dom0-1', 'XenVifDropping', 'Run on host dom0-1: ', 'ip -s link show vif$(xl domid web).0'],
  },
  ticket: {
    alerts: [alertOf({ alert: 'XenSpuriousEvents', value: '10%' }, web)],
    first: ['web', 'dom0-1', 'XenSpuriousEvents', 'Run on host dom0-1: ', 'grep . /sys/bus/xen-backend'],
  },
  'exporter-down': {
    alerts: [
      alertOf({ alert: 'XenExporterDown', value: '' }, { ...host, domain: 'web', job: 'xen', instance: 'web:28697' }),
    ],
    first: ['web', 'dom0-1', 'XenExporterDown', 'Run on the host of Prometheus: ', 'curl'],
  },
};

const visible = (html: string): string =>
  html
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('&#39;', "'")
    .replaceAll('&#43;', '+')
    .replaceAll('&amp;', '&')
    .replaceAll(/\n+/g, '\n')
    .trim();

/** Slack displays entities as characters. */
const shown = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').replaceAll(/[`*]/g, '');

/** The first 200 characters of each channel. */
const heads = ({ slack, pagerduty, mail }: Texts): Record<string, string> =>
  Object.fromEntries(
    Object.entries({
      slack: shown(`${slack.title}\n${slack.text}`),
      pagerduty: pagerduty.summary,
      'mail as text': `${mail.subject}\n${mail.text}`,
      'mail as HTML': `${mail.subject}\n${visible(mail.html)}`,
    }).map(([channel, text]) => [channel, text.slice(0, 200)]),
  );

const golden = ({ slack, pagerduty, mail }: Texts): string =>
  [
    `== Slack (${slack.color})`,
    slack.title,
    slack.text,
    `== PagerDuty (${pagerduty.action}, ${pagerduty.severity})`,
    pagerduty.summary,
    ...['firing', 'resolved'].map((name) => `-- ${name}\n${pagerduty.details[name] ?? ''}`),
    '== E-mail',
    mail.subject,
    '-- text',
    mail.text,
    '-- HTML',
    mail.html,
    '',
  ].join('\n');

const goldenFile = (name: string): string => resolve(import.meta.dirname, '../fixtures/alertmanager', `${name}.txt`);

describe.each(Object.entries(scenarios))('%s', (name, { alerts, first }) => {
  test('guest, host, cause and command are in the first 200 characters, and the texts are those on record', async () => {
    using folder = new TempTree();
    await using mailServer = await startMailServer();
    await using alertmanager = await startAlertmanager(configure(folder, mailServer.port));
    const received = receivedFrom(alertmanager, mailServer);
    // In sequence: if a group's first alert is old, Alertmanager does not wait for others.
    let firing: Texts | undefined;
    for (const alert of alerts) {
      await alertmanager.post([alert]);
      firing = await received();
    }
    for (const [channel, text] of Object.entries(heads(firing!)))
      for (const word of first) expect(text, channel).toContain(word);
    await expect(golden(firing!)).toMatchFileSnapshot(goldenFile(`${name}.firing`));

    await alertmanager.post(alerts.map((alert) => ({ ...alert, endsAt })));
    const resolved = await received();
    expect(resolved.slack.title).toMatch(/^\[RESOLVED\] /);
    expect(resolved.pagerduty.action).toBe('resolve');
    // A resolved alert needs no command.
    expect(golden(resolved)).not.toContain('Run on');
    await expect(golden(resolved)).toMatchFileSnapshot(goldenFile(`${name}.resolved`));
  });
});

// Alertmanager before 0.26 shares its state among concurrently executed templates.
test('no template calls the function title', () => {
  const text = readFileSync(join(project, 'alertmanager/xen.tmpl'), 'utf8').replace(/\{\{\/\*.*?\*\/\}\}/gs, '');
  const called = [...text.matchAll(/\{\{(.*?)\}\}/gs)].flatMap(
    ([, action]) => action!.match(/(?<![.\w"])\btitle\b/) ?? [],
  );
  expect(called).toEqual([]);
});

test('alerts that fire and those that are over stand apart', async () => {
  using folder = new TempTree();
  await using mailServer = await startMailServer();
  await using alertmanager = await startAlertmanager(configure(folder, mailServer.port));
  const received = receivedFrom(alertmanager, mailServer);
  const old = alertOf(page, web);
  const moved = alertOf({ ...page, scope: [1, 4] }, { ...web, host: 'dom0-2:28697' });
  await alertmanager.post([old]);
  await received();
  await alertmanager.post([
    { ...moved, startsAt: endsAt },
    { ...old, endsAt },
  ]);
  const both = await received();
  expect(both.slack.title).toBe('[FIRING] web on dom0-2 refuses connections: XenVcpuStarved');
  await expect(golden(both)).toMatchFileSnapshot(goldenFile('migrated-guest'));
});

test('names that tenants choose are text, not markup', async () => {
  using folder = new TempTree();
  await using mailServer = await startMailServer();
  await using alertmanager = await startAlertmanager(configure(folder, mailServer.port));
  const received = receivedFrom(alertmanager, mailServer);
  const evil = { ...host, domain: '<!channel> `$(reboot)` <b>&amp;', uuid: '1|<!here>"><script>' };
  await alertmanager.post([alertOf({ alert: 'XenVifDisconnected', value: '' }, evil)]);
  const texts = await received();
  const { slack, mail } = texts;
  // Only our links use Slack's markup.
  for (const text of [slack.title, slack.text, slack.fallback])
    for (const [, markup] of text.matchAll(/<([^>]*)>/g))
      expect(markup).toMatch(/^https:\/\/[^|]*\|(Runbook|Dashboard)$/);
  expect(slack.title).toContain('&lt;!channel&gt;');
  expect(slack.text).toContain('xl network-list &lt;GUEST&gt;');
  expect(mail.html).not.toMatch(/<(!channel|b|script)>/);
  expect(mail.subject).toContain('<!channel>');
  await expect(golden(texts)).toMatchFileSnapshot(goldenFile('hostile-names'));
});
