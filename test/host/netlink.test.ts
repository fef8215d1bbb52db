import { expect, test } from 'vitest';
import { listenRequest, parseInetDiag } from '../../src/formats/inet-diag.ts';
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
