import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { listenRequest, parseInetDiag } from '../../src/formats/inet-diag.ts';
import { openNetlink, NetlinkUnavailable } from '../../src/host/netlink.ts';
import { noNamespaces, startServerAlone } from '../support/real-namespaces.ts';
import { TcpServer } from '../../tools/lib/tcp-server.ts';
import { project } from '../../tools/lib/project.ts';

describe('another network namespace', () => {
  const reason = noNamespaces();
  beforeEach(({ skip }) => skip(reason !== undefined, reason));
  const request = listenRequest('ipv4');
  const portsIn = (reply: Uint8Array) => parseInetDiag(reply).sockets.map(({ port }) => port);
  const inodeOf = (file: string) => statSync(file).ino;

  test('is entered for its socket alone: we stay at home', async () => {
    await using server = await startServerAlone();
    const { port } = await server.listen({ backlog: 3 });
    await using neighbour = await TcpServer.start();
    const { port: portAtHome } = await neighbour.listen({ backlog: 3 });
    const netlink = await openNetlink();
    const home = inodeOf('/proc/thread-self/ns/net');
    const file = `/proc/${server.pid}/ns/net`;
    const namespace = netlink.enter(file, inodeOf(file));
    expect(inodeOf('/proc/thread-self/ns/net')).toBe(home);
    expect(portsIn(netlink.exchangeIn(namespace, request))).toEqual([port]);
    const atHome = portsIn(netlink.exchange('sockDiag', request));
    expect([atHome.includes(portAtHome), atHome.includes(port)]).toEqual([true, false]);
    namespace.close();
    expect(namespace.isOpen).toBe(false);
    expect(() => netlink.exchangeIn(namespace, request)).toThrow('this network namespace is closed');
    netlink.close();
  });

  test('is another than was asked for: the PID is used again, or its process has moved', async () => {
    await using server = await startServerAlone();
    const file = `/proc/${server.pid}/ns/net`;
    const before = inodeOf(file);
    await server.moveToNewNamespace();
    const netlink = await openNetlink();
    expect(() => netlink.enter(file, before)).toThrow(
      `${file}: expected network namespace ${before}, found ${inodeOf(file)}`,
    );
    expect(() => netlink.enter('/proc/0/ns/net', 1)).toThrow(new NetlinkUnavailable('open /proc/0/ns/net: ENOENT'));
    netlink.close();
  });

  test('may be entered, but not left for home again: refused before we go', async () => {
    const script = `
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { readlinkSync, statSync } from 'node:fs';
      import { openNetlink } from ${JSON.stringify(join(project, 'src/host/netlink.ts'))};
      const home = readlinkSync('/proc/thread-self/ns/net');
      const child = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      const file = '/proc/' + child.pid + '/ns/net';
      const netlink = await openNetlink();
      try { netlink.enter(file, statSync(file).ino); } catch (error) { console.log(error.name + ': ' + error.message); }
      console.log(readlinkSync('/proc/thread-self/ns/net') === home);
      child.stdin.end();`;
    const args = ['--user', '--map-root-user', process.execPath, '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)('unshare', args);
    expect(stdout).toBe('NamespaceRefused: setns to our own network namespace: EPERM\ntrue\n');
  });
});
