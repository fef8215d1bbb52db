import { describe, expect, test } from 'vitest';
import { startDoor } from '../support/front-door.ts';
import { ask, RawClient } from '../../tools/lib/web-client.ts';

/** The answer to these bytes until the connection ends. */
const answerTo = async (port: number, bytes: string): Promise<string> => {
  using client = await RawClient.connect(port);
  client.send(bytes);
  await client.closed;
  return client.received;
};

const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => Number(status));

const request = (lines: readonly string[], body = ''): string =>
  `${[...lines, 'Host: x', 'Connection: close'].join('\r\n')}\r\n\r\n${body}`;

describe('by default, nothing but GET, HEAD and OPTIONS of the known paths answers', () => {
  const methods = ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY'];
  test.each(methods)('%s', async (method) => {
    await using door = await startDoor();
    for (const path of ['/metrics', '/', '/-/healthy', '/-/ready', '/-/reload', '/nope']) {
      const { status, body } = await ask(door.port, { method, path });
      expect([405, 404], `${method} ${path}`).toContain(status);
      expect(body).toMatch(/^(Method not allowed|Not found)\n$/);
    }
  });

  test('CONNECT and upgrades', async () => {
    await using door = await startDoor();
    expect(await answerTo(door.port, request(['CONNECT x:443 HTTP/1.1']))).toBe('');
    const upgraded = await answerTo(door.port, request(['GET /-/healthy HTTP/1.1', 'Upgrade: h2c']));
    expect(statusesOf(upgraded)).toEqual([200]);
  });

  test.each([
    '/../../etc/passwd',
    '/metrics/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '//etc/passwd',
    '/metrics%00',
    '/%',
    '/\\..\\..',
    '/METRICS',
    '/metrics/',
    '/-/',
    '/-/debug',
    '/favicon.ico',
  ])('%s is not found', async (path) => {
    await using door = await startDoor();
    const answer = await answerTo(door.port, request([`GET ${path} HTTP/1.1`]));
    expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(answer).toMatch(/\r\n\r\nNot found\n$/);
  });
});

describe('headers', () => {
  test('more than 16 KiB are refused', async () => {
    await using door = await startDoor();
    expect(statusesOf(await answerTo(door.port, request(['GET / HTTP/1.1', `X-A: ${'a'.repeat(15 << 10)}`])))).toEqual([
      200,
    ]);
    expect(statusesOf(await answerTo(door.port, request(['GET / HTTP/1.1', `X-A: ${'a'.repeat(17 << 10)}`])))).toEqual([
      431,
    ]);
    expect(statusesOf(await answerTo(door.port, request([`GET /${'a'.repeat(17 << 10)} HTTP/1.1`])))).toEqual([431]);
    expect(
      statusesOf(await answerTo(door.port, request(['GET / HTTP/1.1', ...Array<string>(5000).fill('X: y')]))),
    ).toEqual([431]);
  });

  test('nothing of a request comes back as a header', async () => {
    await using door = await startDoor();
    for (const path of [
      '/metrics?collect[]=%0d%0aSet-Cookie:%20a',
      '/%0d%0aSet-Cookie:%20a',
      '/metrics?a=%0d%0aX:%20y',
    ]) {
      const answer = await answerTo(
        door.port,
        request([`GET ${path} HTTP/1.1`, 'X-Forwarded-Host: evil', 'Origin: evil']),
      );
      const [head = ''] = answer.split('\r\n\r\n');
      expect(head).not.toMatch(/set-cookie|evil|^x:/im);
    }
  });

  test.each([
    ['a line end alone', 'GET / HTTP/1.1\nHost: x\n\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: x\0\r\n\r\n'],
    ['nonsense', 'nonsense\r\n\r\n'],
    ['the first bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s: 400, and the end of the connection', async (_what, bytes) => {
    await using door = await startDoor();
    const answer = await answerTo(door.port, bytes);
    expect(statusesOf(answer)).toEqual([400]);
    expect(answer).not.toMatch(/error|at |\/(?:src|dist|node_modules)/i);
    expect((await ask(door.port)).status).toBe(200);
  });
});

describe('bodies, and requests hidden in them', () => {
  const hidden = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
  test.each([
    ['a body', [`Content-Length: ${hidden.length}`], hidden, 413],
    [
      'a body in chunks',
      ['Transfer-Encoding: chunked'],
      `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
      413,
    ],
    ['a body that is announced', ['Content-Length: 1000000000000'], '', 413],
    ['a body for 100-continue', ['Content-Length: 5', 'Expect: 100-continue'], 'hello', 413],
    ['both lengths', [`Content-Length: ${hidden.length}`, 'Transfer-Encoding: chunked'], `0\r\n\r\n${hidden}`, 400],
    ['two lengths', ['Content-Length: 0', `Content-Length: ${hidden.length}`], hidden, 400],
    ['a length with a sign', ['Content-Length: +5'], 'hello', 400],
    ['a negative length', ['Content-Length: -1'], hidden, 400],
    ['an encoding that is not the last', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${hidden}`, 400],
    ['an unknown encoding', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${hidden}`, 413],
  ] as [string, string[], string, number][])('%s: one answer, %s', async (_what, headers, body, status) => {
    await using door = await startDoor();
    const bytes = `${['GET / HTTP/1.1', 'Host: x', ...headers].join('\r\n')}\r\n\r\n${body}`;
    const statuses = statusesOf(await answerTo(door.port, bytes)).filter((each) => each !== 100);
    expect(statuses).toEqual([status]);
  });

  test('an endless body is not read', async () => {
    await using door = await startDoor();
    using client = await RawClient.connect(door.port);
    client.send('GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const pour = setInterval(() => client.send(`10000\r\n${'a'.repeat(0x10000)}\r\n`), 1);
    await client.closed;
    clearInterval(pour);
    expect(client.socket.bytesWritten).toBeLessThan(16 << 20);
  });
});
