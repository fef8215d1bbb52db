import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { debianTool } from '../../../tools/lib/debian.ts';
import { connectMany, connectSteadily, keepEstablished } from '../../../tools/lib/tcp-clients.ts';
import { TcpServer } from '../../../tools/lib/tcp-server.ts';
import { until } from '../../../tools/lib/until.ts';

/** Queue length and backlog of the listeners on a port, as ss reports them. */
async function listenersOf(
  port: number,
): Promise<{ address: string; queued: number; backlog: number; detail: string }[]> {
  const { path, env } = await debianTool('ss');
  const { stdout } = await promisify(execFile)(path, ['-Htlnoei', `sport = :${port}`], { env });
  // With -i, ss continues each socket on a line that starts with a tab.
  return stdout
    .trim()
    .split(/\n(?!\t)/)
    .filter((line) => line !== '')
    .map((line) => {
      const [, queued, backlog, address = ''] = line.split(/\s+/);
      return { address, queued: Number(queued), backlog: Number(backlog), detail: line };
    });
}

async function establishedOn(port: number): Promise<number> {
  const { path, env } = await debianTool('ss');
  const { stdout } = await promisify(execFile)(path, ['-Htn', 'state', 'established', `sport = :${port}`], { env });
  return stdout.split('\n').filter((line) => line !== '').length;
}

test('connections stay queued until they are accepted', async () => {
  await using server = await TcpServer.start();
  const { id, port } = await server.listen({ backlog: 16 });
  await using clients = connectMany({ port, count: 5 });
  await until('five queued', async () => (await server.queueLength(id)) === 5);
  await until('five established', () => clients.established() === 5);
  expect(await listenersOf(port)).toMatchObject([{ address: `127.0.0.1:${port}`, queued: 5, backlog: 16 }]);

  expect(await server.accept(id, 2)).toBe(2);
  expect(await server.queueLength(id)).toBe(3);
  expect(await server.accept(id, 10, { close: true })).toBe(3);
  await until('three closed by the server', () => clients.established() === 2);

  await server.close(id);
  await until('the rest closed', () => clients.established() === 0);
  expect(await listenersOf(port)).toEqual([]);
  await expect(server.accept(id, 1)).rejects.toThrow(`no listener ${id}`);
});

test('a queue holds one more than its backlog, and clients beyond it hang', async () => {
  await using server = await TcpServer.start();
  const { id, port } = await server.listen({ backlog: 2 });
  await using clients = connectMany({ port, count: 10 });
  await until('queue full', async () => (await server.queueLength(id)) === 3);
  expect(clients.established()).toBeLessThan(10);
  expect(clients.errors()).toBe(0);
  expect(await listenersOf(port)).toMatchObject([{ queued: 3, backlog: 2 }]);
});

test('listeners have the address, sharing and options asked for', async () => {
  await using server = await TcpServer.start();
  const { port } = await server.listen({ backlog: 1, reusePort: true });
  await server.listen({ port, backlog: 2, reusePort: true });
  expect((await listenersOf(port)).map(({ backlog }) => backlog).sort()).toEqual([1, 2]);
  await expect(server.listen({ port, backlog: 1 })).rejects.toThrow('bind: EADDRINUSE');

  const six = await server.listen({ family: 'ipv6', host: '::1', backlog: 4 });
  expect(await listenersOf(six.port)).toMatchObject([{ address: `[::1]:${six.port}` }]);
  const only = await server.listen({ family: 'ipv6', backlog: 4, v6only: true });
  expect((await listenersOf(only.port))[0]?.detail).toContain('v6only:1');
  const mapped = await server.listen({ family: 'ipv6', host: '::ffff:127.0.0.1', backlog: 4, v6only: false });
  expect((await listenersOf(mapped.port))[0]?.address).toBe(`[::ffff:127.0.0.1]:${mapped.port}`);
});

test('with deferred accept a silent client never reaches the queue', async () => {
  await using server = await TcpServer.start();
  const { id, port } = await server.listen({ backlog: 4, deferAcceptSeconds: 30 });
  await using clients = connectMany({ port, count: 2 });
  await until('established for the clients', () => clients.established() === 2);
  expect(await server.queueLength(id)).toBe(0);
  clients.sockets[0]!.write('x');
  await until('the one that spoke', async () => (await server.queueLength(id)) === 1);
});

test('a drained listener serves a steady load', async () => {
  await using server = await TcpServer.start();
  const { id, port } = await server.listen({ backlog: 128 });
  const loop = await server.drain(id, { intervalMs: 10 });
  const count = await connectSteadily({ port, perSecond: 100, seconds: 1 });
  await until('an empty queue', async () => (await server.queueLength(id)) === 0);
  expect(await loop.stop()).toBe(100);
  expect(count).toEqual({ opened: 100, established: 100, errors: 0 });
});

test('held connections wait about as long as asked', async () => {
  await using server = await TcpServer.start();
  const { id, port } = await server.listen({ backlog: 128 });
  const loop = await server.holdEach(id, 100);
  await connectSteadily({ port, perSecond: 50, seconds: 1 });
  await until('an empty queue', async () => (await server.queueLength(id)) === 0);
  const { accepted, meanWaitSeconds } = await loop.stop();
  expect(accepted).toBe(50);
  expect(meanWaitSeconds).toBeGreaterThanOrEqual(0.1);
  expect(meanWaitSeconds).toBeLessThan(1);
});

test('nothing is left after dispose', async () => {
  let pid: number;
  let port: number;
  {
    await using server = await TcpServer.start();
    pid = server.pid;
    ({ port } = await server.listen({ backlog: 1 }));
  }
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect(await listenersOf(port)).toEqual([]);
});

test('many established connections are kept, and gone on dispose', async () => {
  const kept = await keepEstablished(1000);
  const [port] = kept.ports;
  expect(await establishedOn(port!)).toBe(1000);
  await kept[Symbol.asyncDispose]();
  expect(await establishedOn(port!)).toBe(0);
});
