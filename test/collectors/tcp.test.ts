import { expect, test } from 'vitest';
import { tcp } from '../../src/collectors/tcp.ts';
import { collect, createCollector } from '../../tools/lib/collect.ts';
import { fakeHost, TempTree } from '../../tools/lib/fake-host.ts';

const counters = 'Tcp: PassiveOpens CurrEstab\nTcp: 7 1\n';

/** The page of a guest whose kernel has this setting. */
const served = async (setting: string | undefined) => {
  using tree = new TempTree();
  tree.write({ 'proc/net/snmp': counters, 'proc/net/netstat': 'TcpExt: ListenDrops\nTcpExt: 0\n' });
  if (setting !== undefined) tree.write({ 'proc/sys/net/ipv4/tcp_fastopen': `${setting}\n` });
  const host = fakeHost(tree.root);
  const samples = await collect(createCollector(tcp, host), host);
  return [samples.value('xen_sysctl_net_ipv4_tcp_fastopen', {}), samples.value('xen_tcp_fastopen_without_cookies', {})];
};

test.each([
  ['off', 0, 0],
  ['client', 1, 0],
  ['client and server', 3, 0],
  ['client that needs no cookie, and server', 7, 0],
  ['every listener, with cookies', 0x403, 0],
  ['without cookies, but not for servers', 0x201, 0],
  ['server without cookies', 0x202, 1],
  ['client and every listener, without cookies', 0x603, 1],
])('Fast Open, %s (%i): listeners accept data without a cookie is %i', async (_, setting, expected) => {
  expect(await served(String(setting))).toEqual([setting, expected]);
});

test('a kernel without Fast Open has neither', async () => {
  expect(await served(undefined)).toEqual([undefined, undefined]);
});
