import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, openSync, readFileSync, renameSync, writeFileSync, rmSync, truncateSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { fileFlags } from '../../tools/lib/copied-host.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { guestRoot } from '../../tools/lib/guests.ts';
import { until } from '../../tools/lib/until.ts';
import { project } from '../../tools/lib/project.ts';

const main = join(project, 'dist/main.js');

let tree: TempTree;
beforeEach(() => {
  tree = new TempTree();
});
afterEach(() => tree[Symbol.dispose]());

/** A daemon on a modifiable copy of a guest's files. */
const onGuestCopy = (...args: string[]): Promise<Daemon> => {
  cpSync(guestRoot('pv-storm'), tree.root, { recursive: true });
  return startDaemon({ args: [...fileFlags(tree.root), ...args] });
};

test('a bad number costs its own series, and is counted', async () => {
  await using daemon = await onGuestCopy('--collector.listeners.sampler-hertz=0');
  writeFileSync(tree.path('proc/sys/net/core/somaxconn'), 'lots\n');
  const page = await daemon.metrics();
  const ofTcp = { collector: 'tcp' };
  expect(page.samples('xen_sysctl_net_core_somaxconn')).toEqual([]);
  expect(page.samples('xen_tcp_listen_drops_total')).toHaveLength(1);
  expect(page.value('xen_exporter_collector_success', ofTcp)).toBe(1);
  expect(page.value('xen_exporter_collector_skipped_items', ofTcp)).toBe(1);
  expect((await daemon.get('/')).body).toMatch(/1 unreadable items?, the first .*somaxconn: expected .*lots/);
});

describe('broken input costs its own collector, is named, and heals', () => {
  const breakages: [string, string, string, (path: string) => void, RegExp][] = [
    [
      'an empty file',
      'proc/stat',
      'cpu',
      (path) => writeFileSync(path, ''),
      /proc\/stat: expected .*, found an empty file/,
    ],
    ['a truncated file', 'proc/net/netstat', 'tcp', (path) => truncateSync(path, 300), /proc\/net\/netstat: expected /],
    [
      'a binary file',
      'proc/interrupts',
      'interrupts',
      (path) => writeFileSync(path, Buffer.alloc(5000, 0xfe)),
      /proc\/interrupts: expected a header/,
    ],
    [
      'a truncated file of rows',
      'proc/interrupts',
      'interrupts',
      (path) => truncateSync(path, 700),
      /proc\/interrupts: expected a line end/,
    ],
    [
      '50 MB',
      'proc/net/softnet_stat',
      'softnet',
      (path) => truncateSync(path, 50 << 20),
      /proc\/net\/softnet_stat: expected at most 4194304 bytes, found more/,
    ],
    [
      'a FIFO',
      'proc/net/dev',
      'netfront',
      (path) => (rmSync(path), execFileSync('mkfifo', [path])),
      /proc\/net\/dev: expected a regular file, found a FIFO/,
    ],
    [
      'a device',
      'proc/net/snmp',
      'tcp',
      (path) => execFileSync('ln', ['-sf', '/dev/zero', path]),
      /proc\/net\/snmp: expected a regular file, found a device/,
    ],
    [
      'a directory',
      'sys/hypervisor/uuid',
      'guest',
      (path) => (rmSync(path), execFileSync('mkdir', [path])),
      /sys\/hypervisor\/uuid: expected a regular file, found a directory/,
    ],
    [
      'a bad row',
      'proc/net/tcp',
      'listeners',
      (path) => writeFileSync(path, 'sl\n 0: what\n'),
      /proc\/net\/tcp: expected /,
    ],
  ];

  test.each(breakages)('%s for %s', async (_what, file, collector, breakFile, message) => {
    await using daemon = await onGuestCopy('--collector.listeners.sampler-hertz=0');
    const path = tree.path(file);
    const content = readFileSync(path);
    const states = async () => {
      const page = await daemon.metrics();
      return page.samples('xen_exporter_collector_success').filter(({ value }) => value === 0);
    };
    expect(await states()).toEqual([]);
    breakFile(path);
    expect((await states()).map(({ labels }) => labels['collector'])).toEqual([collector]);
    expect(await states()).toHaveLength(1);
    const errors = daemon
      .log()
      .split('\n')
      .filter((line) => line.includes('Collector failed'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(message);
    expect((await daemon.get('/')).body).toContain('failing');
    execFileSync('rm', ['-rf', path]);
    writeFileSync(path, content);
    expect(await states()).toEqual([]);
    expect(daemon.log()).toContain('msg="Collector recovered"');
  });

  test('a file that is not there is absent, not failed', async () => {
    await using daemon = await onGuestCopy();
    rmSync(tree.path('proc/net/softnet_stat'));
    const page = await daemon.metrics();
    const self = (name: string) => page.value(`xen_exporter_collector_${name}`, { collector: 'softnet' });
    expect([self('available'), self('success')]).toEqual([0, 1]);
    expect((await daemon.get('/')).body).toContain(`${tree.path('proc/net/softnet_stat')} does not exist`);
  });
});

test('names from the machine cannot leave their label', async () => {
  await using daemon = await onGuestCopy();
  const uuid = 'x"} 1\nxen_forged{a="\\ \0';
  writeFileSync(tree.path('sys/hypervisor/uuid'), uuid);
  const page = await daemon.metrics();
  expect(page.samples('xen_forged')).toEqual([]);
  expect(page.samples('xen_guest_info')[0]!.labels['uuid']).toBe(uuid.replace(/[\n\0]/g, '\ufffd').trim());
});

describe('a start that cannot be', () => {
  const start = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });
    return { status, stderr };
  };

  test.each([
    [
      'a wrong type',
      'web:\n  max-requests: many\n',
      ':2: web.max-requests: expected a whole number from 1 to 10000, found "many"',
    ],
    ['an unknown key', 'log:\n  level: info\n  colour: red\n', ':3: log.colour: unknown key'],
    ['a duplicate key', 'log: {}\nweb: {}\nlog: {}\n', ':3: duplicated mapping key'],
  ])('a config with %s: status 2 and the line', (_what, yaml, message) => {
    tree.write({ 'xen.yml': yaml });
    const path = tree.path('xen.yml');
    expect(start(`--config.file=${path}`)).toEqual({ status: 2, stderr: `xen-exporter: ${path}${message}\n` });
    expect(start(`--config.file=${path}`, '--config.check')).toMatchObject({ status: 2 });
  });

  test('a config that is not there: status 2', () => {
    const path = tree.path('none.yml');
    expect(start(`--config.file=${path}`)).toEqual({
      status: 2,
      stderr: `xen-exporter: --config.file: ENOENT: no such file or directory, open '${path}'\n`,
    });
  });

  test('an unknown flag: status 2', () => {
    expect(start('--nope')).toEqual({
      status: 2,
      stderr: "xen-exporter: Unknown option '--nope', --help lists the flags\n",
    });
  });

  test('a good config is only checked: status 0', () => {
    tree.write({ 'xen.yml': 'log: {level: debug}\n' });
    expect(start(`--config.file=${tree.path('xen.yml')}`, '--config.check')).toEqual({ status: 0, stderr: '' });
  });

  test('a port in use: status 1, and the other address is let go', async () => {
    await using daemon = await startDaemon();
    const address = `127.0.0.1:${daemon.port}`;
    const { status, stderr } = start('--web.listen-address=127.0.0.1:0', `--web.listen-address=${address}`);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      new RegExp(
        `xen-exporter: --web.listen-address=${address}: listen EADDRINUSE: address already in use ${address}\n$`,
      ),
    );
  });
});

describe('clients', () => {
  test('200 at once: each is served or told to come back; then all is as before', async () => {
    await using daemon = await startDaemon();
    const answers = await Promise.all(Array.from({ length: 200 }, () => daemon.get('/metrics')));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(40);
    expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);
    for (const { status, body } of answers) if (status === 200) expect(body).toContain('xen_tcp_passive_opens_total');
    expect((await daemon.get('/metrics')).status).toBe(200);
  });

  test('one that never reads its responses does not keep others from theirs', async () => {
    await using daemon = await startDaemon();
    const socket = connect(daemon.port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => {});
    const request = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
    socket.write(request.repeat(2000));
    for (let i = 0; i < 20; i += 1) expect((await daemon.get('/metrics')).status).toBe(200);
    socket.destroy();
  });

  test('one that sends nonsense gets a 400', async () => {
    await using daemon = await startDaemon();
    const socket = connect(daemon.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.write('nonsense\r\n\r\n');
    await until('an answer', () => answer !== '' || undefined);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect((await daemon.get('/-/healthy')).body).toBe('Healthy\n');
    socket.destroy();
  });
});

describe('the end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s: status 0, with an idle connection open', async (signal) => {
    await using daemon = await startDaemon();
    const idle = connect(daemon.port, '127.0.0.1');
    idle.on('error', () => {});
    await daemon.get('/metrics');
    expect(await daemon.stop(signal)).toEqual({ code: 0, signal: null });
    expect(daemon.log()).toContain(`msg=Stopping signal=${signal}`);
    idle.destroy();
  });

  test('children that run are ended too', async () => {
    tree.writeScript('ss', `echo $$ > ${tree.path('pid')}\nexec sleep 300`);
    await using daemon = await startDaemon({
      args: [`--path.tools=${tree.root}`],
      settings: { 'collector.listeners.source': 'proc' },
    });
    const pid = await until('ss to run', () => {
      const text = execFileSync('sh', ['-c', `cat ${tree.path('pid')} 2>/dev/null || true`], { encoding: 'utf8' });
      return text === '' ? undefined : Number(text);
    });
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    await until('ss to be gone', () => {
      try {
        process.kill(pid, 0);
        return undefined;
      } catch {
        return true;
      }
    });
  });

  test('an ss that hangs costs the listeners their limits, and the scrape nothing', async () => {
    tree.writeScript('ss', 'exec sleep 300');
    await using daemon = await startDaemon({
      args: [`--path.tools=${tree.root}`],
      settings: { 'collector.listeners.source': 'proc' },
    });
    const failed = await until('the deadline of ss', async () => {
      const page = await daemon.metrics();
      return page.value('xen_exporter_collector_success', { collector: 'listeners' }) === 0 ? page : undefined;
    });
    expect(failed.value('xen_exporter_collector_success', { collector: 'tcp' })).toBe(1);
    expect(failed.samples('xen_listener_accept_queue_length').length).toBeGreaterThan(0);
    expect(failed.samples('xen_listener_accept_queue_limit')).toEqual([]);
    expect(daemon.log()).toContain('ss -H -ltnem: no end within 4 s');
  });
});

test('logs can be JSON', async () => {
  const args = [main, '--log.format=json', '--web.listen-address=127.0.0.1:0', '--log.level=debug'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [line] = (await once(createInterface(child.stderr), 'line')) as [string];
  child.kill('SIGKILL');
  expect(JSON.parse(line)).toMatchObject({ level: 'info', msg: 'Starting xen-exporter' });
});

describe('sockets that systemd passes', () => {
  // Like systemd: the pid is known only once the process runs.
  const wrapper = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh'];

  test('are listened on, in place of --web.listen-address', async () => {
    await using server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    await using daemon = await startDaemon({
      args: ['--web.systemd-socket'],
      env: { LISTEN_FDS: '1' },
      wrapper,
      descriptors: [fd],
    });
    expect(daemon.port).toBe(port);
    server.close();
    expect(await daemon.get('/-/healthy')).toMatchObject({ status: 200 });
  });

  test('a Unix socket, whose path the exporter does not know', async () => {
    const path = tree.path('exporter.sock');
    await using server = createServer();
    await once(server.listen(path), 'listening');
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const [shell = 'sh', ...args] = wrapper;
    const child = spawn(shell, [...args, process.execPath, main, '--web.systemd-socket', '--log.format=json'], {
      env: { ...process.env, LISTEN_FDS: '1' },
      stdio: ['ignore', 'ignore', 'pipe', fd],
    });
    try {
      const lines = createInterface(child.stderr!);
      for await (const line of lines) if (line.includes('Listening on')) break;
      // A closed server accepts no connection. It removes its socket's path.
      const moved = tree.path('moved.sock');
      renameSync(path, moved);
      server.close();
      const status = await new Promise((resolve, reject) => {
        request({ socketPath: moved, path: '/-/healthy' }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end();
      });
      expect(status).toBe(200);
    } finally {
      child.kill();
    }
  });

  test.each([
    ['a file', () => openSync(main, 'r')],
    ['nothing', () => undefined],
  ])('%s in place of a socket ends the start with its number', (_what, open) => {
    const descriptor = open();
    const [shell = 'sh', ...args] = wrapper;
    const { status, stderr } = spawnSync(shell, [...args, process.execPath, main, '--web.systemd-socket'], {
      env: { ...process.env, LISTEN_FDS: '1' },
      stdio: ['ignore', 'ignore', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(
        '--web.systemd-socket: file descriptor 3: expected a listening stream socket, found none (',
      ),
    ]);
  });

  test.each([[{}], [{ LISTEN_FDS: '1', LISTEN_PID: '1' }]])(
    'an exporter that gets none ends with status 2: %o',
    (env) => {
      const { status, stderr } = spawnSync(process.execPath, [main, '--web.systemd-socket'], {
        env: { ...process.env, ...env },
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining('--web.systemd-socket: expected sockets of systemd'),
      ]);
    },
  );
});
