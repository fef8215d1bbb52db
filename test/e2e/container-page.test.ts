import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { startDaemon } from '../../tools/lib/daemon.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { guestRoot } from '../../tools/lib/guests.ts';
import { startPrometheus } from '../../tools/lib/prometheus.ts';
import { NamedNamespace, noNamespaces } from '../support/real-namespaces.ts';
import { scaledRuleFile } from '../../tools/lib/time-scale.ts';
import { until } from '../../tools/lib/until.ts';

const reason = noNamespaces();
beforeEach(({ skip }) => skip(reason !== undefined, reason));

/** Five minutes take ten seconds. */
const timeScale = 1 / 30;

test(
  'a server in a storm pages with the name of its namespace, the quiet one beside it does not',
  { timeout: 240_000 },
  async () => {
    using folder = new TempTree();
    const rules = folder.path('rules.yml');
    writeFileSync(rules, scaledRuleFile(timeScale, 1));
    await using busy = await NamedNamespace.add();
    await using quiet = await NamedNamespace.add();
    await using busyServer = await busy.startServer();
    await using quietServer = await quiet.startServer();
    await using daemon = await startDaemon({
      // This kernel, posing as the captured guest.
      args: [`--path.sysfs=${join(guestRoot('pv-storm'), 'sys')}`, '--collector.listeners.namespaces=all'],
    });
    await using prometheus = await startPrometheus({
      targets: [`127.0.0.1:${daemon.port}`],
      scrapeIntervalSeconds: 1,
      extraConfig: { rule_files: [rules] },
    });
    const { id: attacked, port } = await busyServer.listen({ backlog: 3 });
    const { id: served } = await quietServer.listen({ backlog: 64 });
    await quietServer.drain(served, { intervalMs: 5 });
    const alert = await until(
      'the page',
      async () => {
        // New clients throughout: earlier ones retry less and less often.
        await busyServer.flood(attacked, 3);
        await quietServer.flood(served, 3);
        const [firing] = await prometheus.query('ALERTS{alertname="XenAcceptQueueOverflow",alertstate="firing"}');
        return firing;
      },
      { timeoutMs: 200_000, intervalMs: 200 },
    );
    expect(alert.metric).toMatchObject({ netns: busy.name, severity: 'critical', domain: `127.0.0.1:${daemon.port}` });

    const { groups } = await prometheus.ask<{ groups: { rules: { name: string; alerts?: object[] }[] }[] }>(
      '/api/v1/rules',
    );
    const pages = groups.flatMap(({ rules }) => rules).find(({ name }) => name === 'XenAcceptQueueOverflow')!.alerts!;
    expect(pages).toHaveLength(1);
    const inText = `127.0.0.1:${daemon.port} (${busy.name})`;
    expect(pages[0]).toMatchObject({
      annotations: {
        summary: expect.stringMatching(
          `^127\\.0\\.0\\.1:${daemon.port} \\(${busy.name.slice(0, 24)}\\) refuses connections: `,
        ) as string,
        description: expect.stringMatching(
          `^The accept queue of port ${port}( \\(.*\\))? of ${inText.replace(/[()]/g, '\\$&')} was full for \\d+ % of the last 2 minutes\\. Connection attempts dropped: [1-9]\\d*, accepted: \\d+\\.`,
        ) as string,
        run_on: `guest 127.0.0.1:${daemon.port}`,
        command: expect.stringContaining(`/run/netns/'${busy.name}'`) as string,
      },
    });
    const [quietRow] = await prometheus.query(`uuid_netns:xen_accepts:rate5m{netns="${quiet.name}"}`);
    expect(quietRow!.value).toBeGreaterThan(0);
    expect(await prometheus.query(`xen_listener_accept_queue_limit{netns="${busy.name}",port="${port}"}`)).toHaveLength(
      1,
    );
  },
);
