import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { ListenAddress } from '../../src/formats/inet-diag-filter.ts';
import { bothListenRequest, listenRequest, parseInetDiag } from '../../src/formats/inet-diag.ts';
import { noNetlink, openNetlink, NetlinkUnavailable } from '../../src/host/netlink.ts';
import { TcpServer } from '../../tools/lib/tcp-server.ts';

test('the kernel lists a listener that was just made', async () => {
  await using server = await TcpServer.start();
  const { port } = await server.listen({ backlog: 7 });
  const netlink = await openNetlink();
  const { sockets } = parseInetDiag(netlink.exchange('sockDiag', listenRequest('ipv4')));
  netlink.close();
  expect(sockets.find((socket) => socket.port === port)).toMatchObject({
    family: 'ipv4',
    address: '127.0.0.1',
    queueLength: 0,
    queueLimit: 7,
    drops: 0,
  });
});

test('the kernel lists both families at once, in as many pieces as it takes', async () => {
  await using server = await TcpServer.start();
  const ports = new Set<number>();
  for (let i = 0; i < 600; i += 1) {
    const family = i % 2 === 0 ? 'ipv4' : 'ipv6';
    const { port } = await server.listen({ backlog: 7, family, host: family === 'ipv4' ? '127.0.0.1' : '::1' });
    ports.add(port);
  }
  const netlink = await openNetlink();
  const both = netlink.exchange('sockDiag', bothListenRequest());
  expect(both.length).toBeGreaterThan(64 << 10);
  const { sockets } = parseInetDiag(both);
  const each = (['ipv4', 'ipv6'] as const).flatMap(
    (family) => parseInetDiag(netlink.exchange('sockDiag', listenRequest(family))).sockets,
  );
  const ofServer = (all: typeof sockets) => all.filter(({ port }) => ports.has(port)).toSorted((a, b) => a.id - b.id);
  expect(ofServer(sockets)).toEqual(ofServer(each));
  expect(ofServer(sockets)).toHaveLength(600);
  netlink.close();
});

test('the kernel picks listeners by address and port, of each family', async () => {
  const all: ListenAddress[] = [];
  const servers = [];
  for (let i = 0; i < 60; i += 1) {
    const [family, host] = (
      [
        ['ipv4', `127.0.0.${i + 1}`],
        ['ipv6', '::1'],
        ['ipv4', '0.0.0.0'],
        ['ipv6', '::'],
      ] as const
    )[i % 4]!;
    const server = createServer().listen({ host, port: 0, ipv6Only: true });
    await once(server, 'listening');
    servers.push(server);
    all.push({ family, address: host, port: (server.address() as AddressInfo).port });
  }
  const netlink = await openNetlink();
  const nameOf = ({ family, address, port }: ListenAddress): string => `${family} ${address} ${port}`;
  for (const few of [all, all.slice(7, 31), all.slice(0, 1)]) {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const wanted = few.filter((each) => each.family === family);
      if (wanted.length === 0) continue;
      const { sockets } = parseInetDiag(netlink.exchange('sockDiag', listenRequest(family, wanted)));
      expect(sockets.map(nameOf).sort()).toEqual(wanted.map(nameOf).sort());
    }
  }
  const both = parseInetDiag(netlink.exchange('sockDiag', bothListenRequest(all.slice(7, 31)))).sockets;
  expect(both.map(nameOf).sort()).toEqual(all.slice(7, 31).map(nameOf).sort());
  // The port of one with the address of another.
  const other = { ...all[2]!, port: all[0]!.port };
  expect(parseInetDiag(netlink.exchange('sockDiag', listenRequest('ipv4', [other]))).sockets).toEqual([]);
  netlink.close();
  for (const server of servers) server.close();
});

test('an error reply is bytes like any other; the next exchange is not disturbed by it', async () => {
  const netlink = await openNetlink();
  const unknownType = listenRequest('ipv4');
  unknownType[4] = 99;
  expect(() => parseInetDiag(netlink.exchange('sockDiag', unknownType))).toThrow('EINVAL');
  expect(() => parseInetDiag(netlink.exchange('sockDiag', listenRequest('ipv4')))).not.toThrow();
  netlink.close();
});

test('a machine without netlink says why', () => {
  expect(() => noNetlink('no add-on').exchange('route', new Uint8Array())).toThrow(new NetlinkUnavailable('no add-on'));
});
