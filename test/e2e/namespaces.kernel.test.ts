import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { guestCommand } from '../../src/pack/alerts/alert.ts';
import { commandOutput } from '../../tools/lib/command.ts';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { debianTool } from '../../tools/lib/debian.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { ip, NamedNamespace, noNamespaces, startServerAlone } from '../support/real-namespaces.ts';
import type { TcpServer } from '../../tools/lib/tcp-server.ts';
import { until } from '../../tools/lib/until.ts';

const reason = noNamespaces();
beforeEach(({ skip }) => skip(reason !== undefined, reason));

const all = { 'collector.listeners.namespaces': 'all', 'collector.listeners.namespaces-interval': 1 };
const query = 'collect[]=listeners&collect[]=tcp';

const namespaceOf = (pid: number): string => /\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))![0];
const descriptorsOf = (daemon: Daemon): number => readdirSync(`/proc/${daemon.pid}/fd`).length;

/** All that a page has of one namespace. */
const ofNamespace = (page: Exposition, netns: string) =>
  [...page.families.keys()].flatMap((family) => page.samples(family).filter(({ labels }) => labels['netns'] === netns));

const stateOf = (page: Exposition) =>
  Object.fromEntries(
    page.samples('xen_exporter_network_namespaces').map(({ labels, value }) => [labels['state']!, value]),
  );

/** A server whose queue of four is full, with others that try to get in. */
const storm = async (server: TcpServer): Promise<number> => {
  const { id, port } = await server.listen({ backlog: 3 });
  await server.flood(id, 12);
  await until('the queue to be full', async () => (await server.queueLength(id)) === 4 || undefined);
  return port;
};

test('a server in another namespace: length, limit, drops and counters as ss and the kernel have them there', async () => {
  await using namespace = await NamedNamespace.add();
  await using server = await namespace.startServer();
  await using daemon = await startDaemon({ settings: all });
  const port = await storm(server);
  const listener = { netns: namespace.name, port: String(port) };
  const first = await until('drops and samples', async () => {
    const page = await daemon.metrics(query);
    const isSeen = page.value('xen_listener_drops_total', listener)! > 0;
    return isSeen && page.value('xen_listener_accept_queue_fill_ratio_count', listener)! > 5 ? page : undefined;
  });
  expect(first.value('xen_listener_accept_queue_length', listener)).toBe(4);
  expect(first.value('xen_listener_accept_queue_limit', listener)).toBe(3);
  expect(first.value('xen_listener_accept_queue_max_fill_ratio', listener)).toBe(1);
  expect(first.value('xen_listener_accept_queue_full_seconds_total', listener)).toBeGreaterThan(0.1);

  // Clients go on trying, so that the counters may move between two looks.
  const counted = async () => {
    const text = await namespace.ss('-H', '-l', '-t', '-n', '-m', `sport = :${port}`);
    const [, length, limit, drops] = /LISTEN\s+(\d+)\s+(\d+)[^]*,d(\d+)\)/.exec(text)!;
    const [names, values] = readFileSync(`/proc/${server.pid}/net/netstat`, 'utf8').split('\n');
    const overflows = values!.split(' ')[names!.split(' ').indexOf('ListenOverflows')];
    return [length, limit, drops, overflows].map(Number);
  };
  const exported = async () => {
    const page = await daemon.metrics(query);
    return ['accept_queue_length', 'accept_queue_limit', 'drops_total']
      .map((name) => page.value(`xen_listener_${name}`, listener))
      .concat(page.value('xen_tcp_listen_overflows_total', { netns: namespace.name }));
  };
  const [before, inside] = await until('ss and the exporter to look at the same moment', async () => {
    const [before, inside, after] = [await exported(), await counted(), await exported()];
    return JSON.stringify(before) === JSON.stringify(after) ? [before, inside] : undefined;
  });
  expect(before).toEqual(inside);
  // Our own namespace has no such listener, and no such overflows.
  expect(first.value('xen_listener_sockets', { netns: '', port: String(port) })).toBeUndefined();
});

test('the command of a page, typed as it is, shows the listener', async () => {
  await using namespace = await NamedNamespace.add();
  await using server = await namespace.startServer();
  const { port } = await server.listen({ backlog: 3 });
  const typed = guestCommand('ss -Hltn')
    .replace(/^guest# /, '')
    .replace(
      /\{\{ if \$labels\.netns \}\}\{\{ if match `[^`]*` \$labels\.netns \}\}(.*?)\{\{ else \}\}.*?\{\{ end \}\}\{\{ end \}\}/,
      '$1',
    )
    .replaceAll('{{ $labels.netns }}', namespace.name);
  const { path, env } = await debianTool('ss');
  const output = await commandOutput('sh', ['-c', typed], {
    env: { ...env, PATH: `${dirname(path)}:${process.env['PATH']}` },
  });
  expect(output).toMatch(new RegExp(`^LISTEN +0 +3 +127\\.0\\.0\\.1:${port} .*\n$`));
});

test('our own namespace alone, unless told otherwise', async () => {
  await using server = await startServerAlone();
  await server.listen({ backlog: 3 });
  await using daemon = await startDaemon();
  const page = await daemon.metrics();
  expect(stateOf(page)).toEqual({});
  const names = page.samples('xen_listener_sockets').map(({ labels }) => labels['netns']);
  expect(new Set(names)).toEqual(new Set(['']));
});

test('a namespace that comes is found within an interval; one that goes is released, and its series with it', async () => {
  await using daemon = await startDaemon({ settings: all });
  const before = await until('the first look', async () => stateOf(await daemon.metrics(query))['read']);
  const server = await startServerAlone();
  const { port } = await server.listen({ backlog: 7 });
  // The other end of a pair of devices goes when the namespace with this end does: so the kernel says that it is gone.
  const device = `xt${server.pid}`;
  await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(server.pid));
  const netns = namespaceOf(server.pid);
  const page = await until('its listener', async () => {
    const page = await daemon.metrics(query);
    return page.value('xen_listener_accept_queue_limit', { netns, port: String(port) }) === undefined
      ? undefined
      : page;
  });
  expect(stateOf(page)).toEqual({ read: before + 1, unread: 0, refused: 0 });

  await server[Symbol.asyncDispose]();
  await until('the kernel to have given it up', () => !existsSync(`/sys/class/net/${device}`));
  await until('the count to fall', async () => stateOf(await daemon.metrics(query))['read'] === before);
  expect(ofNamespace(await daemon.metrics(query), netns)).toEqual([]);
});

test('without samples and between two looks, a scrape is enough to release it', async () => {
  const server = await startServerAlone();
  const netns = namespaceOf(server.pid);
  const device = `xt${server.pid}`;
  await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(server.pid));
  await using daemon = await startDaemon({
    settings: {
      'collector.listeners.namespaces': 'all',
      'collector.listeners.namespaces-interval': 3600,
      'collector.listeners.sampler-hertz': 0,
    },
  });
  await until('it to be read', async () => ofNamespace(await daemon.metrics(query), netns).length > 0);
  await server[Symbol.asyncDispose]();
  await daemon.metrics(query);
  await until('the kernel to have given it up', () => !existsSync(`/sys/class/net/${device}`));
});

test('1 000 namespaces that come and go leave no descriptor and no series', { timeout: 120_000 }, async () => {
  await using daemon = await startDaemon({ settings: { ...all, 'collector.listeners.max-namespaces': 10 } });
  const before = await until('the first look', async () => {
    const page = await daemon.metrics(query);
    return Object.keys(stateOf(page)).length > 0 ? page : undefined;
  });
  const descriptors = descriptorsOf(daemon);
  const names = new Set<string>();
  {
    const servers = await Promise.all(Array.from({ length: 10 }, startServerAlone));
    for (let round = 0; round < 100; round += 1) {
      await Promise.all(servers.map((server) => server.moveToNewNamespace()));
      // All are looked for once a second: some stay until they are found.
      const look = async () => {
        const page = await daemon.metrics(query);
        const before = names.size;
        for (const { labels } of page.samples('xen_tcp_passive_opens_total')) names.add(labels['netns']!);
        return names.size > before;
      };
      await (round % 10 === 0 ? until('one to be read', look) : look());
    }
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  }
  // Besides our own.
  expect(names.size).toBeGreaterThan(10);
  await until('all to be forgotten', async () => {
    const page = await daemon.metrics(query);
    return stateOf(page)['read'] === stateOf(before)['read'] && stateOf(page)['unread'] === stateOf(before)['unread'];
  });
  const after = await daemon.metrics(query);
  const namespacesOn = (page: Exposition) =>
    page.samples('xen_tcp_passive_opens_total').map(({ labels }) => labels['netns']);
  expect(namespacesOn(after)).toEqual(namespacesOn(before));
  // And the way home, which stays open.
  await until('as many descriptors as before', () => descriptorsOf(daemon) <= descriptors + 1);
});

const setpriv = (...capabilities: readonly string[]) => [
  'setpriv',
  '--inh-caps=-all',
  `--bounding-set=${['-all', ...capabilities.map((name) => `+${name}`)].join(',')}`,
];

test.each([
  ['neither capability', [], { read: 0, refused: 1 }, 'EACCES'],
  ['CAP_SYS_ADMIN alone', ['sys_admin'], { read: 0, refused: 1 }, 'EACCES'],
  ['CAP_SYS_PTRACE alone', ['sys_ptrace'], { read: 0, refused: 1 }, 'EPERM'],
  ['both capabilities', ['sys_admin', 'sys_ptrace'], { read: 1, refused: 0 }, ''],
])('with %s', async (_, capabilities, expected, errno) => {
  await using namespace = await NamedNamespace.add();
  await using server = await namespace.startServer();
  const port = await storm(server);
  await using daemon = await startDaemon({ settings: all, wrapper: setpriv(...capabilities) });
  const page = await until('the first look', async () => {
    const page = await daemon.metrics(query);
    const counters = page.samples('xen_tcp_listen_overflows_total').filter(({ labels }) => labels['netns'] !== '');
    return counters.some(({ value }) => value > 0) ? page : undefined;
  });
  const { read, refused } = stateOf(page);
  expect(refused! > 0).toBe(expected.refused > 0);
  const own = await daemon.get('/');
  expect(own.body.includes('CAP_SYS_ADMIN and CAP_SYS_PTRACE')).toBe(expected.refused > 0);
  if (errno !== '') expect(own.body).toContain(errno);
  const limit = page.value('xen_listener_accept_queue_limit', { netns: namespace.name, port: String(port) });
  expect([read! > 1, limit]).toEqual(expected.read > 0 ? [true, 3] : [false, undefined]);
});
