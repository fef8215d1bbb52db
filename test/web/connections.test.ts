import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { WebMetrics } from '../../src/scrape/web-metrics.ts';
import { accessControl } from '../../src/web/access.ts';
import { admit, clientKey, type ConnectionLimits } from '../../src/web/connections.ts';
import { Passwords } from '../../src/web/passwords.ts';
import type { Handlers } from '../../src/web/server.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { startDoor } from '../support/front-door.ts';
import { until } from '../../tools/lib/until.ts';
import { ask, basicAuth, RawClient } from '../../tools/lib/web-client.ts';

const get = 'GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n';

/** Refusals by reason, without zeros. */
const refusedOf = (metrics: WebMetrics): Record<string, number> => {
  const counts: Record<string, number> = {};
  const out = {
    add: (_descriptor: unknown, labels: { reason?: string }, count: number) => {
      if (labels.reason !== undefined && count > 0) counts[labels.reason] = count;
    },
  };
  metrics.addTo(out as never);
  return counts;
};

/** A door whose requests are answered when the test calls an entry of the list. */
const startHolding = async (limits: Partial<ConnectionLimits>) => {
  const held: (() => void)[] = [];
  const handlers: Handlers = {
    http1: (_request, response) => {
      admit(response);
      held.push(() => response.end('done'));
    },
    http2: (_request, response) => void response.end(),
  };
  return [await startDoor({ handlers, limits }), held] as const;
};

/** Answers with this many bytes. */
const large = (bytes: number): Handlers => ({
  http1: (_request, response) => void response.end(Buffer.alloc(bytes)),
  http2: (_request, response) => void response.end(),
});

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['fd00:1:2:3:4:5:6:7', 'fd00:1:2:3'],
  ['fd00:1::7', 'fd00:1:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  [undefined, ''],
])('the client of %s is %s', (address, key) => expect(clientKey(address)).toBe(key));

describe('too many connections', () => {
  test('a new one takes the place of the one that waited longest', async () => {
    await using door = await startDoor({ limits: { connections: 3 } });
    const first = await RawClient.connect(door.port);
    const others = [await RawClient.connect(door.port), await RawClient.connect(door.port)];
    const fourth = await RawClient.connect(door.port);
    await first.closed;
    expect((await ask(door.port)).status).toBe(200);
    await others[0]!.closed;
    expect([others[1]!.isOpen, fourth.isOpen]).toEqual([true, true]);
    expect(refusedOf(door.metrics)).toEqual({ evicted: 2 });
  });

  test('of one client, it is one of its own', async () => {
    await using door = await startDoor({ limits: { connectionsPerClient: 2 } });
    const other = await RawClient.connect(door.port, { localAddress: '127.0.0.2' });
    const mine: RawClient[] = [];
    for (let i = 0; i < 5; i += 1) mine.push(await RawClient.connect(door.port));
    await Promise.all(mine.slice(0, 3).map(({ closed }) => closed));
    expect([other.isOpen, mine[3]!.isOpen, mine[4]!.isOpen]).toEqual([true, true, true]);
    expect(door.metrics.connections).toBe(3);
  });

  test('none is cut off while its request is worked on: then the new one is refused', async () => {
    const [door, held] = await startHolding({ connections: 2 });
    await using _door = door;
    const working = [ask(door.port), ask(door.port)];
    await until('both to be worked on', () => held.length === 2);
    using third = await RawClient.connect(door.port);
    await third.closed;
    expect(refusedOf(door.metrics)).toEqual({ connections: 1 });
    held.splice(0).forEach((answer) => answer());
    expect((await Promise.all(working)).map(({ body }) => body)).toEqual(['done', 'done']);
    const next = ask(door.port);
    (await until('the next one to be worked on', () => held[0]))();
    expect((await next).body).toBe('done');
  });
});

test('a client with few connections is not cut off for one with many', async () => {
  await using door = await startDoor({ limits: { connections: 4 } });
  using good = await RawClient.connect(door.port, { localAddress: '127.0.0.2' });
  const many: RawClient[] = [];
  for (let i = 0; i < 5; i += 1) many.push(await RawClient.connect(door.port));
  await Promise.all(many.slice(0, 2).map(({ closed }) => closed));
  expect([good.isOpen, many[4]!.isOpen]).toEqual([true, true]);
  expect(refusedOf(door.metrics)).toEqual({ evicted: 2 });
});

describe('requests that come before the last one is answered', () => {
  /** Counts the requests for which Node creates objects, including those that it answers itself. */
  const countRequests = () => {
    let count = 0;
    const add = () => void (count += 1);
    subscribe('http.server.request.start', add);
    return { value: () => count, [Symbol.dispose]: () => unsubscribe('http.server.request.start', add) };
  };
  // One piece may contain the end of one request and a whole one.
  const most = 8 + 1;

  test.each([
    ['as short as they can be', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['without a host', 'GET / HTTP/1.1\r\n\r\n'],
    ['with an expectation that cannot be met', 'GET / HTTP/1.1\r\nHost:\r\nExpect: x\r\n\r\n'],
  ])('%s: only a few are taken', async (_what, short) => {
    const paths: string[] = [];
    const handlers: Handlers = {
      http1: (request) => void paths.push(request.url!),
      http2: (_request, response) => void response.end(),
    };
    await using door = await startDoor({ handlers });
    using requests = countRequests();
    using client = await RawClient.connect(door.port);
    client.send(get).send(short.repeat(20_000));
    await until('as many as one connection may have', () => requests.value() >= 8);
    // Another client's request takes a pass through the event loop, in which more could be taken.
    using other = await RawClient.connect(door.port);
    other.send('GET /other HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('it', () => paths.includes('/other'));
    expect(requests.value()).toBeLessThanOrEqual(most + 1);
  });

  test('another client has its turn between them', async () => {
    let count = 0;
    let countAtOther: number | undefined;
    const handlers: Handlers = {
      http1: (request, response) => {
        if (request.url === '/other') countAtOther = count;
        count += 1;
        response.end();
      },
      http2: (_request, response) => void response.end(),
    };
    await using door = await startDoor({ handlers });
    using client = await RawClient.connect(door.port);
    using other = await RawClient.connect(door.port);
    client.send(get.repeat(1500));
    other.send('GET /other HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('all of them', () => count === 1501);
    expect(countAtOther).toBeLessThan(300);
  });

  test('a client has its turn between the many connections of another', async () => {
    let count = 0;
    const counts: number[] = [];
    const handlers: Handlers = {
      http1: (request, response) => {
        if (request.url === '/other') counts.push(count);
        else count += 1;
        for (const begin = performance.now(); performance.now() - begin < 1;);
        response.end();
      },
      http2: (_request, response) => void response.end(),
    };
    await using door = await startDoor({ handlers });
    const many = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(door.port)));
    using other = await RawClient.connect(door.port, { localAddress: '127.0.0.2' });
    await until('all to be accepted', () => door.metrics.connections === 51);
    for (const client of many) client.send(get.repeat(50));
    for (let asked = 0; asked < 5; asked += 1) {
      await until('requests of the other client', () => count >= (asked + 1) * 20);
      other.send('GET /other HTTP/1.1\r\nHost: x\r\n\r\n');
      const before = count;
      await until('the request', () => counts.length > asked, { intervalMs: 0 });
      expect(counts[asked]! - before).toBeLessThan(10);
    }
    for (const client of many) client[Symbol.dispose]();
  });

  test('all are answered, in their order', async () => {
    const held: (() => void)[] = [];
    let count = 0;
    const handlers: Handlers = {
      http1: (_request, response) => {
        const number = (count += 1);
        held.push(() => response.end(`answer ${number};`));
      },
      http2: (_request, response) => void response.end(),
    };
    await using door = await startDoor({ handlers });
    using client = await RawClient.connect(door.port);
    client.send(get.repeat(500));
    await until('the last answer', () => {
      held.splice(0).forEach((answer) => answer());
      return client.received.includes('answer 500;');
    });
    const numbers = [...client.received.matchAll(/answer (\d+);/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  });

  test('a connection with as many as it may have gives its place to another', async () => {
    const [door, held] = await startHolding({ connections: 1 });
    await using _door = door;
    using client = await RawClient.connect(door.port);
    client.send(get.repeat(7));
    await until('seven requests', () => held.length === 7);
    using early = await RawClient.connect(door.port);
    await early.closed;
    client.send(get.repeat(50));
    await until('eight requests', () => held.length >= 8);
    const other = ask(door.port);
    await client.closed;
    await until('the request of the other client', () => held.length > 8);
    held.forEach((answer) => answer());
    expect((await other).body).toBe('done');
    expect(refusedOf(door.metrics)).toEqual({ connections: 1, evicted: 1 });
  });

  test.each([
    ['while its password is compared', false, 'evicted'],
    ['not once it is let in', true, 'connections'],
  ])('a connection gives its place to another %s', async (_what, isLetIn, refusal) => {
    const users = new Map([['alice', 'A']]);
    const config = { refresh: () => {}, value: { headers: [], users }, onChange: () => {} } as never;
    const metrics = new WebMetrics();
    const compared: (() => void)[] = [];
    const matches = () => new Promise<boolean>((resolve) => void compared.push(() => resolve(true)));
    const passwords = new Passwords({ now: () => 0, matches });
    const access = accessControl({ config, passwords, metrics, now: () => 0 });
    let letIn = 0;
    const handlers: Handlers = {
      http1: (request, response) => void access(request as never, response as never, () => void (letIn += 1)),
      http2: (_request, response) => void response.end(),
    };
    await using door = await startDoor({ handlers, limits: { connections: 1 } });
    using client = await RawClient.connect(door.port);
    client.send(`GET / HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth('alice', 'x').Authorization}\r\n\r\n`);
    const compare = await until('its password to be compared', () => compared[0]);
    if (isLetIn) {
      compare();
      await until('it to be let in', () => letIn === 1);
    }
    using other = await RawClient.connect(door.port);
    await (refusal === 'evicted' ? client : other).closed;
    expect(refusedOf(door.metrics)).toEqual({ [refusal]: 1 });
  });
});

describe('clients that take their time', () => {
  test('headers that never end', async () => {
    await using door = await startDoor({ limits: { headerSeconds: 0.3 } });
    using client = await RawClient.connect(door.port);
    const drip = setInterval(() => client.send('X-A: b\r\n'), 20);
    client.send('GET / HTTP/1.1\r\nHost: x\r\n');
    await client.closed;
    clearInterval(drip);
    expect(refusedOf(door.metrics)).toEqual({ slow: 1 });
  });

  test('headers that never end, of the second request on a connection', async () => {
    await using door = await startDoor({ limits: { headerSeconds: 0.3, idleSeconds: 60 } });
    using client = await RawClient.connect(door.port);
    client.send(get);
    await until('the first response', () => client.received.includes('Healthy'));
    client.send('GET / HT');
    await client.closed;
    expect(refusedOf(door.metrics)).toEqual({ slow: 1 });
  });

  test('a connection without requests is kept for its time, and longer than headers may take', async () => {
    await using door = await startDoor({ limits: { headerSeconds: 0.1, idleSeconds: 0.45 } });
    using client = await RawClient.connect(door.port);
    client.send(get);
    await until('the first response', () => client.received.includes('Healthy'));
    const begin = performance.now();
    await client.closed;
    expect(performance.now() - begin).toBeGreaterThan(400);
    expect(refusedOf(door.metrics)).toEqual({});
  });

  test('a client that never reads is cut off, and what was kept for it is let go', async () => {
    await using door = await startDoor({ handlers: large(32 << 20), limits: { responseSeconds: 0.3 } });
    using client = await RawClient.connect(door.port, { reads: false });
    client.send(get);
    await until('it to be cut off', () => refusedOf(door.metrics)['slow'] === 1);
    await until('its connection to be gone', () => door.metrics.connections === 0);
  });

  test('responses that nobody reads take a limited amount of memory, and those of a client with few stay', async () => {
    await using door = await startDoor({ handlers: large(8 << 20) });
    using good = await RawClient.connect(door.port, { localAddress: '127.0.0.2', reads: false });
    good.send(get);
    const many: RawClient[] = [];
    for (let i = 0; i < 8; i += 1) {
      many.push(await RawClient.connect(door.port, { reads: false }));
      many[i]!.send(get);
    }
    await until('all but those that fit to be cut off', () => refusedOf(door.metrics)['evicted'] === 5);
    expect(door.metrics.connections).toBe(4);
    let bytes = 0;
    good.socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await until('the response', () => bytes > 8 << 20);
    for (const client of many) client[Symbol.dispose]();
  });

  test('one response that takes more is served', async () => {
    await using door = await startDoor({ handlers: large(40 << 20) });
    expect((await ask(door.port)).body).toHaveLength(40 << 20);
    expect(refusedOf(door.metrics)).toEqual({});
  });

  test('one that reads slowly, but in time, gets it all', async () => {
    await using door = await startDoor({ handlers: large(8 << 20), limits: { responseSeconds: 10 } });
    const outgoing = request({ port: door.port, host: '127.0.0.1', agent: false });
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream];
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    expect(bytes).toBe(8 << 20);
    expect(refusedOf(door.metrics)).toEqual({});
  });
});

test('closing lets a response end, and ends connections that do nothing', async () => {
  const [door, held] = await startHolding({});
  using idle = await RawClient.connect(door.port);
  const answer = ask(door.port);
  const end = await until('the request to be worked on', () => held[0]);
  const closed = door.door.close(30);
  await idle.closed;
  end();
  expect((await answer).body).toBe('done');
  await closed;
});

test('closing waits for nobody longer than its grace', async () => {
  const handlers: Handlers = { http1: () => {}, http2: (_request, response) => void response.end() };
  const door = await startDoor({ handlers });
  using client = await RawClient.connect(door.port);
  client.send(get);
  await door.door.close(0.1);
  await client.closed;
});

describe('a Unix socket', () => {
  test('is for its user and group, and is gone when the door closes', async () => {
    using tree = new TempTree();
    const path = tree.path('door.sock');
    const door = await startDoor({ address: { path } });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect((await ask(0, { socketPath: path })).status).toBe(200);
    await door.door.close(1);
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('one that a killed process left is replaced, one in use is not, a file never', async () => {
    using tree = new TempTree();
    const path = tree.path('door.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).toBe(true);
    await using _door = await startDoor({ address: { path } });
    await expect(startDoor({ address: { path } })).rejects.toThrow(/EADDRINUSE/);
    expect((await ask(0, { socketPath: path })).status).toBe(200);
    writeFileSync(tree.path('file'), 'kept');
    await expect(startDoor({ address: { path: tree.path('file') } })).rejects.toThrow(/EADDRINUSE/);
    expect(readFileSync(tree.path('file'), 'utf8')).toBe('kept');
  });
});
