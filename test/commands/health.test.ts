import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { health, healthOf } from '../../src/commands/health.ts';
import { parseCommandLine } from '../../src/config/command-line.ts';

const servers: AsyncDisposable[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/-/healthy`;
};

test.each([200, 401, 404])('an answer of %i is one', async (status) => {
  const url = await serve((_, response) => response.writeHead(status).end());
  expect(await healthOf(new URL(url))).toBe(`${url}: ${status}\n`);
});

test('a failure is none', async () => {
  const url = await serve((_, response) => response.writeHead(503).end());
  await expect(healthOf(new URL(url))).rejects.toThrow(`${url}: expected an answer below 500, found 503`);
});

test('nobody there', async () => {
  const url = await serve(() => {});
  await servers.pop()![Symbol.asyncDispose]();
  await expect(healthOf(new URL(url))).rejects.toThrow(`${url}: connect ECONNREFUSED`);
});

test('who does not answer is not waited for for ever', async () => {
  const url = await serve(() => {});
  await expect(healthOf(new URL(url), 0.1)).rejects.toThrow(`${url}: no answer within 0.1 s`);
});

test.each([
  ['--url=28697', '--url: expected a URL of http or https, found "28697"'],
  ['--url=file:///etc/passwd', '--url: expected a URL of http or https, found "file:///etc/passwd"'],
  ['--nothing', "Unknown option '--nothing', --help lists the flags"],
])('%s is no usage', async (argument, message) => {
  const run = async (): Promise<void> =>
    health.run({ given: parseCommandLine([argument], health.settings, health).given, file: undefined });
  await expect(run()).rejects.toThrow(message);
});
