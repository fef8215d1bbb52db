import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { serviceManager } from '../../src/host/service-manager.ts';
import { Datagrams } from '../support/datagrams.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { until } from '../../tools/lib/until.ts';

test('without one nobody is told', async () => {
  const manager = serviceManager({});
  await manager.ready();
  manager.stopping();
});

test.each([
  ['a path', (tree: TempTree) => tree.path('notify')],
  ['a name of the kernel’s own', () => `@xen-exporter-test-${randomUUID()}`],
])('one at %s is told of the start and the end', async (_what, pathIn) => {
  using tree = new TempTree();
  const path = pathIn(tree);
  using datagrams = new Datagrams(path);
  const manager = serviceManager({ NOTIFY_SOCKET: path });
  expect(datagrams.next()).toBeUndefined();
  await manager.ready();
  expect(datagrams.next()).toBe('READY=1');
  manager.stopping();
  expect(datagrams.next()).toBe('STOPPING=1');
  expect(datagrams.next()).toBeUndefined();
});

test('one that watches is told again and again, until the end', async () => {
  using tree = new TempTree();
  using datagrams = new Datagrams(tree.path('notify'));
  const manager = serviceManager({ NOTIFY_SOCKET: tree.path('notify'), WATCHDOG_USEC: '40000' });
  await manager.ready();
  expect(datagrams.next()).toBe('READY=1');
  for (let signs = 0; signs < 3; signs += 1) {
    expect(await until('a sign of life', () => datagrams.next())).toBe('WATCHDOG=1');
  }
  manager.stopping();
  let last: string | undefined;
  for (let each = datagrams.next(); each !== undefined; each = datagrams.next()) last = each;
  expect(last).toBe('STOPPING=1');
});

test('one that does not listen is an error that names it', async () => {
  const manager = serviceManager({ NOTIFY_SOCKET: '/run/no-such-folder/notify' });
  await expect(manager.ready()).rejects.toThrow('NOTIFY_SOCKET /run/no-such-folder/notify: ENOENT');
});
