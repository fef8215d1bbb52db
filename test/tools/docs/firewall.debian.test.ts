import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { globalOptions } from '../../../src/config/global-options.ts';
import { commandOutput } from '../../../tools/lib/command.ts';
import { TempTree } from '../../../tools/lib/fake-host.ts';
import { project } from '../../../tools/lib/project.ts';
import { ip, NamedNamespace, noNamespaces } from '../../support/real-namespaces.ts';

const page = readFileSync(join(project, 'docs/install/prometheus.md'), 'utf8');
const [, rules] = /^```nft\n(.*?)^```$/ms.exec(page) ?? [];
const port = Number(/\d+$/.exec(globalOptions['web.listen-address'].default[0]!)![0]);
/** Prometheus's addresses in the rules. */
const prometheus = { v4: '192.0.2.10', v6: '2001:db8::10' };
const exporter = { v4: '192.0.2.1', v6: '2001:db8::1' };
const others = { v4: '192.0.2.11', v6: '2001:db8::11' };

const listen = `require('net').createServer((socket) => socket.end('answer')).listen(${port}, '::', () => console.log('listening'))`;
/** Prints the result of a connection: the server's text, or the kernel's error. */
const connect = `
  const [host, localAddress] = process.argv.slice(1);
  require('net').connect({ host, port: ${port}, localAddress })
    .on('data', (data) => console.log(data.toString())).on('error', ({ code }) => console.log(code))`;

/** Gives a device addresses that work immediately, without duplicate address detection. */
const addAddresses = async ({ name }: NamedNamespace, device: string, addresses: readonly string[]): Promise<void> => {
  for (const address of addresses) {
    const [length, ...flags] = address.includes(':') ? ['64', 'nodad'] : ['24'];
    await ip('-n', name, 'address', 'add', `${address}/${length}`, 'dev', device, ...flags);
  }
  await ip('-n', name, 'link', 'set', device, 'up');
};

/** Output of a command in a network namespace. */
const inside = async ({ wrapper: [first, ...rest] }: NamedNamespace, ...command: readonly string[]): Promise<string> =>
  (await commandOutput(first!, [...rest, ...command])).trim();

describe('the firewall of docs/install/prometheus.md', () => {
  test.skipIf(noNamespaces() !== undefined)('lets Prometheus in, by IPv4 and IPv6, and nobody else', async () => {
    await using host = await NamedNamespace.add();
    await using outside = await NamedNamespace.add();
    const [inner, outer] = ['eth0', 'eth1'] as const;
    await ip('-n', host.name, 'link', 'add', inner, 'type', 'veth', 'peer', 'name', outer, 'netns', outside.name);
    await addAddresses(host, inner, [exporter.v4, exporter.v6]);
    await addAddresses(outside, outer, [prometheus.v4, prometheus.v6, others.v4, others.v6]);
    // The kernel gives up an unanswered SYN after 3 s instead of two minutes.
    await inside(outside, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/tcp_syn_retries');

    const [program, ...args] = [...host.wrapper, process.execPath, '-e', listen];
    const server = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(server.stdout, 'data');
      const attempt = (space: NamedNamespace, to: string, from: string): Promise<string> =>
        inside(space, process.execPath, '-e', connect, to, from);
      const all = () =>
        Promise.all([
          attempt(outside, exporter.v4, prometheus.v4),
          attempt(outside, exporter.v6, prometheus.v6),
          attempt(outside, exporter.v4, others.v4),
          attempt(outside, exporter.v6, others.v6),
          attempt(host, '127.0.0.1', '127.0.0.1'),
          attempt(host, '::1', '::1'),
          attempt(host, exporter.v6, exporter.v6),
        ]);
      expect(await all()).toEqual(Array(7).fill('answer'));

      using folder = new TempTree().write({ 'firewall.nft': rules! });
      // Twice, because it must be repeatable.
      for (let time = 0; time < 2; time += 1) await host.run('nft', ['-f', folder.path('firewall.nft')]);
      expect((await host.run('nft', ['list', 'table', 'inet', 'xen_exporter'])).match(/ drop$/gm)).toHaveLength(1);
      expect(await all()).toEqual(['answer', 'answer', 'ETIMEDOUT', 'ETIMEDOUT', 'answer', 'answer', 'answer']);
    } finally {
      server.kill();
    }
  });
});
