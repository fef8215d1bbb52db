import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { listeners } from '../../src/collectors/listeners/listeners.ts';
import { Services } from '../../src/collectors/listeners/services.ts';
import { FileError, FileTree } from '../../src/host/file-tree.ts';
import type { Command } from '../../src/host/commands.ts';
import { collect, createCollector, skippedBy } from '../../tools/lib/collect.ts';
import { fakeClock, fakeHost, TempTree } from '../../tools/lib/fake-host.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { guestHost } from '../../tools/lib/guests.ts';

test('SYN queues: a connection belongs to the listener of its address, else to the wildcard of its family', async () => {
  const host = guestHost('pv-netlink-storm');
  const page = await collect(createCollector(listeners, host), host);
  expect(page.samples('xen_listener_syn_queue_length').map(({ labels, value }) => [labels['port'], value])).toEqual([
    ['8080', 6],
    ['22', 0],
    ['22', 0],
  ]);
});

test('auto falls back to /proc where netlink does not answer, and says so', async () => {
  const host = guestHost('pv-storm');
  const collector = createCollector(listeners, host);
  expect(collector.limitations!()).toBe(
    'SYN queues and services, limits and drops (there is no ss): read from /proc, because this is a copy of files',
  );
  const page = await collect(collector, host);
  expect(page.value('xen_exporter_listener_source', { source: 'proc' })).toBe(1);
  expect(page.samples('xen_listener_syn_queue_length')).toEqual([]);
});

test('netlink wanted but not there is a failure', async () => {
  const host = guestHost('pv-storm');
  const collector = createCollector(listeners, host, { source: 'netlink' });
  await expect(collect(collector, host)).rejects.toThrow('this is a copy of files');
});

test('without a sampler there are no sampled metrics', async () => {
  const host = guestHost('pv-netlink-storm');
  const page = await collect(createCollector(listeners, host, { 'sampler-hertz': 0 }), host);
  expect(page.value('xen_listener_accept_queue_length', { port: '8080' })).toBe(9);
  for (const name of ['connection_seconds_total', 'full_seconds_total', 'dequeued_total', 'fill_ratio_count']) {
    expect(page.samples(`xen_listener_accept_queue_${name}`), name).toEqual([]);
  }
});

/**
 * A collector of a guest, where ss prints `details` of the listener on port 8080, and what the collector exports of its
 * limit and drops.
 */
const withSs = (details: string) => {
  const clock = fakeClock();
  const output = `LISTEN 9 8 0.0.0.0:8080 0.0.0.0:*${details} <->\n\t skmem:(r0,rb1,t0,tb1,f0,w0,o0,bl0,d12407)\n`;
  const host = {
    ...guestHost('pv-storm'),
    clock,
    commands: {
      ...guestHost('pv-storm').commands,
      find: (name: string) => `/bin/${name}`,
      run: () => Promise.resolve({ stdout: output, complaint: '' }),
    },
  };
  const collector = createCollector(listeners, host);
  const limits = async () => {
    const page = await collect(collector, host);
    return ['accept_queue_limit', 'drops_total'].map((name) => page.value(`xen_listener_${name}`, { port: '8080' }));
  };
  return { clock, limits, runSs: () => collector.background![0]!.run() };
};

test('limits and drops of ss are used until they are three intervals old', async () => {
  const { clock, limits, runSs } = withSs(' ino:13565 sk:1');
  expect(await limits()).toEqual([undefined, undefined]);
  await runSs();
  clock.advance(14);
  expect(await limits()).toEqual([8, 12407]);
  clock.advance(2);
  expect((await limits())[0]).toBeUndefined();
});

test.each([
  ['', [8, 12407]],
  [' ino:13564 sk:1', [undefined, undefined]],
])('a row of ss (%j) is of the socket with its inode, or without one, with its address', async (details, expected) => {
  const { limits, runSs } = withSs(details);
  await runSs();
  expect(await limits()).toEqual(expected);
});

test('an ss that prints something else is an error that names it', async () => {
  const host = {
    ...guestHost('pv-storm'),
    commands: {
      ...guestHost('pv-storm').commands,
      find: () => '/bin/ss',
      run: () => Promise.resolve({ stdout: 'garbage\n', complaint: '' }),
    },
  };
  await expect(createCollector(listeners, host).background![0]!.run()).rejects.toThrow(
    /^\/bin\/ss -H -ltnem: expected /,
  );
});

test('an ss that is older than -H is asked without it', async () => {
  const asked: string[] = [];
  const host = {
    ...guestHost('pv-storm'),
    commands: {
      ...guestHost('pv-storm').commands,
      find: () => '/bin/ss',
      run: ({ args }: Command) => {
        asked.push(args.join(' '));
        if (args.includes('-H'))
          return Promise.reject(new Error("/bin/ss -H -ltnem: exit status 255: ss: invalid option -- 'H'"));
        const heading = 'State      Recv-Q Send-Q Local Address:Port  Peer Address:Port';
        return Promise.resolve({ stdout: `${heading}\nLISTEN 9 8 *:8080 *:* ino:13565 sk:1 <->\n`, complaint: '' });
      },
    },
  };
  const collector = createCollector(listeners, host);
  await collector.background![0]!.run();
  expect(asked).toEqual(['-H -ltnem', '-ltnem']);
  expect((await collect(collector, host)).value('xen_listener_accept_queue_limit', { port: '8080' })).toBe(8);
});

test('a row of ss that cannot be read is reported, and costs its listener the limit', async () => {
  const good = 'LISTEN 9 8 0.0.0.0:8080 0.0.0.0:* ino:13565 sk:1 <->\n';
  const host = {
    ...guestHost('pv-storm'),
    commands: {
      ...guestHost('pv-storm').commands,
      find: () => '/bin/ss',
      run: () => Promise.resolve({ stdout: `LISTEN 0 - 0.0.0.0:22 0.0.0.0:*\n${good}`, complaint: '' }),
    },
  };
  const collector = createCollector(listeners, host);
  await expect(collector.background![0]!.run()).rejects.toThrow('/bin/ss -H -ltnem: expected a number for Send-Q');
  expect((await collect(collector, host)).value('xen_listener_accept_queue_limit', { port: '8080' })).toBe(8);
});

test('a row of /proc/net/tcp that is broken costs its listener', async () => {
  using tree = new TempTree();
  const tcp = readText('guests/pv-storm/proc/net/tcp').split('\n');
  tree.write({ 'proc/net/tcp': [tcp[0], tcp[1]!.replace(/:[0-9A-F]{4} /, ':- '), ...tcp.slice(2)].join('\n') });
  const host = fakeHost(tree.root);
  const collector = createCollector(listeners, host);
  expect((await collect(collector, host)).samples('xen_listener_sockets').map(({ labels }) => labels['port'])).toEqual([
    '8080',
  ]);
  expect(skippedBy(collector)).toMatchObject({ items: 1 });
});

test('include leaves the others out', async () => {
  const host = guestHost('pv-netlink-storm');
  const page = await collect(createCollector(listeners, host, { include: /^.*:8080$/ }), host);
  expect(page.samples('xen_listener_sockets').map(({ labels }) => labels['port'])).toEqual(['8080']);
});

const cgroups = (): TempTree =>
  new TempTree().write({
    'fs/cgroup/system.slice/nginx.service/cgroup.procs': '',
    'fs/cgroup/system.slice/docker-0123.scope/init/cgroup.procs': '',
    'fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/cgroup.procs': '',
    'fs/cgroup/lxc/box/cgroup.procs': '',
  });

test('a cgroup that may not be read costs the names below it alone', () => {
  using tree = cgroups();
  const refuse = (path: string): void => {
    if (path.endsWith('/user.slice')) throw new FileError(path, 'EACCES', 'EACCES: permission denied');
  };
  const services = new Services(new FileTree(tree.root).with(refuse), fakeClock());
  const nameOf = (folder: string) => services.nameOf(statSync(tree.path(`fs/cgroup/${folder}`)).ino);
  expect(nameOf('system.slice/nginx.service')).toBe('nginx.service');
  expect(nameOf('user.slice/user-1000.slice')).toBe('');
});

test('the service of a listener is the unit whose cgroup folder has its number', () => {
  using tree = cgroups();
  const services = new Services(new FileTree(tree.root), fakeClock());
  const nameOf = (folder: string) => services.nameOf(statSync(tree.path(`fs/cgroup/${folder}`)).ino);
  expect(nameOf('system.slice/nginx.service')).toBe('nginx.service');
  expect(nameOf('system.slice/docker-0123.scope/init')).toBe('docker-0123.scope');
  expect(nameOf('user.slice/user-1000.slice/user@1000.service/app.slice/web.service')).toBe('web.service');
  expect(nameOf('lxc/box')).toBe('box');
  expect(services.nameOf(1)).toBe('');
  expect(services.nameOf(undefined)).toBe('');
});

test('a new service is found at the next walk, walks are rare', () => {
  using tree = cgroups();
  const clock = fakeClock();
  const services = new Services(new FileTree(tree.root), clock);
  expect(services.nameOf(1)).toBe('');
  tree.write({ 'fs/cgroup/system.slice/late.service/cgroup.procs': '' });
  const { ino } = statSync(tree.path('fs/cgroup/system.slice/late.service'));
  expect(services.nameOf(ino)).toBe('');
  clock.advance(16);
  expect(services.nameOf(ino)).toBe('late.service');
});

test('a user who makes thousands of cgroups hides those of his own alone', () => {
  using tree = new TempTree();
  const user = (uid: number): string => `fs/cgroup/user.slice/user-${uid}.slice/user@${uid}.service`;
  const attack = Array.from({ length: 1500 }, (_, i) => [`${user(1000)}/x${i}/cgroup.procs`, ''] as const);
  const services = ['system.slice/a/b/c/web.service', 'zone.slice/a/b/c/web.service'].map(
    (path) => `fs/cgroup/${path}`,
  );
  services.push(`${user(1001)}/app.slice/deep/web.service`);
  tree.write({
    ...Object.fromEntries(attack),
    ...Object.fromEntries(services.map((path) => [`${path}/cgroup.procs`, ''])),
  });
  const found = new Services(new FileTree(tree.root), fakeClock());
  expect(services.map((path) => found.nameOf(statSync(tree.path(path)).ino))).toEqual(
    Array<string>(3).fill('web.service'),
  );
  const shown = attack.filter(([path]) => found.nameOf(statSync(dirname(tree.path(path))).ino) !== '');
  expect(shown.length).toBe(998);
});

test('on a host with both versions of cgroups the second is below unified', () => {
  using tree = new TempTree().write({ 'fs/cgroup/unified/system.slice/ssh.service/cgroup.procs': '' });
  const services = new Services(new FileTree(tree.root), fakeClock());
  const { ino } = statSync(tree.path('fs/cgroup/unified/system.slice/ssh.service'));
  expect(services.nameOf(ino)).toBe('ssh.service');
});

test('a machine without cgroups has no services and no error', () => {
  using tree = new TempTree();
  expect(new Services(new FileTree(tree.root), fakeClock()).nameOf(7)).toBe('');
});
