import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { startAlertmanager } from '../../tools/lib/alertmanager.ts';
import { startDaemon } from '../../tools/lib/daemon.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { startPrometheus } from '../../tools/lib/prometheus.ts';
import { StormReplay } from '../../tools/lib/storm-replay.ts';
import { scaledRuleFile } from '../../tools/lib/time-scale.ts';
import { until } from '../../tools/lib/until.ts';
import { project } from '../../tools/lib/project.ts';

/** Five minutes take ten seconds. */
const timeScale = 1 / 30;
const config = join(project, 'alertmanager/alertmanager.yml');

test('a storm on a captured host and guest: one page names guest and cause, and is resolved when it ends', async () => {
  using folder = new TempTree();
  const rules = folder.path('rules.yml');
  writeFileSync(rules, scaledRuleFile(timeScale, 1));
  using replay = new StormReplay();
  await using dom0 = await startDaemon({ args: replay.flags.dom0 });
  await using guest = await startDaemon({ args: replay.flags.guest });
  await using alertmanager = await startAlertmanager(config);
  await using prometheus = await startPrometheus({
    hosts: [`127.0.0.1:${dom0.port}`],
    targets: [`127.0.0.1:${guest.port}`],
    scrapeIntervalSeconds: 1,
    extraConfig: {
      rule_files: [rules],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
    },
  });
  const identity = 'uuid:xen_guest_identity:info{domain="domu1"}';
  await until(
    'guest and host to be one',
    async () => (await prometheus.query(`${identity} and on (uuid) uuid:xen_accepts:rate5m`)).length > 0,
    {
      timeoutMs: 30_000,
    },
  );
  // The watchdog always fires, even without trouble.
  const alive = await until('the watchdog', () => alertmanager.watchdog[0], { timeoutMs: 30_000 });
  expect(alive.alerts.map(({ labels }) => labels['alertname'])).toEqual(['XenWatchdog']);
  expect(alertmanager.notifications).toEqual([]);

  replay.begin();
  const page = await until('the page', () => alertmanager.notifications[0], { timeoutMs: 60_000 });
  expect(page).toMatchObject({ receiver: 'page', status: 'firing' });
  const overflow = page.alerts.find(({ labels }) => labels['alertname'] === 'XenAcceptQueueOverflow')!;
  expect(overflow.labels).toMatchObject({ domain: 'domu1', host: `127.0.0.1:${dom0.port}`, severity: 'critical' });
  // The stronger of both causes changes while the storm grows. Both have the same hop and command.
  const cause = overflow.annotations['cause']!;
  expect(['XenVcpuStarved', 'XenCreditExhaustion']).toContain(cause);
  expect(overflow.annotations).toMatchObject({
    // Texts name hosts without a port.
    summary: `domu1 on 127.0.0.1 refuses connections: ${cause}`,
    hop: 'vCPU',
    command: 'xl vcpu-list',
    run_on: 'host 127.0.0.1',
    runbook_url: `${defaultPackOptions.runbookUrl}XenAcceptQueueOverflow.md`,
    cause_runbook_url: `${defaultPackOptions.runbookUrl}${cause}.md`,
  });
  const words = {
    XenVcpuStarved: String.raw`\d+ % of wanted CPU time is stolen, limit 30 %`,
    XenCreditExhaustion: String.raw`vCPUs are ready but wait \d+ % of the time, limit 20 %`,
  };
  expect(overflow.annotations['description']).toMatch(
    new RegExp(
      String.raw`^The accept queue of port \d+ of domu1 was full for [1-9]\d* % of the last 2 minutes\. Connection attempts dropped: [1-9]\d*, accepted: \d+\. Cause: ${cause} \(${words[cause as keyof typeof words]}\)\.( Next: \w+ \([^)]*\)\.)? Guests of this host that refuse or lose connections: 1 of \d+\.$`,
    ),
  );
  // Long enough for the causes to fire, which belong to the same trouble.
  const causes = 'count(ALERTS{kind="cause",alertstate="firing",domain="domu1"}) >= 2';
  await until('causes to fire', async () => (await prometheus.query(causes)).length > 0, { timeoutMs: 60_000 });

  replay.end();
  await until(
    'the page to be resolved',
    () => alertmanager.notifications.find(({ receiver, status }) => receiver === 'page' && status === 'resolved'),
    {
      timeoutMs: 90_000,
    },
  );
  const pages = alertmanager.notifications.filter(({ receiver }) => receiver === 'page');
  expect(pages.map(({ status }) => status)).toEqual(['firing', 'resolved']);
}, 240_000);
