import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exitOf } from '../../tools/lib/child.ts';
import { commandOutput } from '../../tools/lib/command.ts';
import { debianTool } from '../../tools/lib/debian.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';
import { TcpServer } from '../../tools/lib/tcp-server.ts';
import { until } from '../../tools/lib/until.ts';
import { NamedNamespace, noNamespaces } from '../support/real-namespaces.ts';

const script = join(project, 'packaging/relisten');
const isRoot = process.getuid?.() === 0;

interface Answer {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs the script. By default Python gets the flags of the script's first line. */
const relisten = async (args: readonly string[], flags: readonly string[] = ['-I']): Promise<Answer> => {
  const { path, env } = await debianTool('python3');
  return new Promise((done) => {
    execFile(path, [...flags, script, ...args], { env }, (error, stdout, stderr) =>
      done({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
};

const refusal = (reason: string): Answer => ({ status: 1, stdout: '', stderr: `relisten: ${reason}\n` });

/** Limits (Send-Q) of all sockets that listen on a port, from `ss -ltn`. */
const limitsAt = async (port: number): Promise<number[]> => {
  const { path, env } = await debianTool('ss');
  const lines = await commandOutput(path, ['-H', '-l', '-t', '-n', `sport = :${port}`], { env });
  return [...lines.matchAll(/^LISTEN +\d+ +(\d+) /gm)].map(([, limit]) => Number(limit)).sort((a, b) => a - b);
};

/** A process's descriptors for a port, from `ss -ltnp`. */
const descriptorsAt = async (port: number): Promise<string[]> => {
  const { path, env } = await debianTool('ss');
  const lines = await commandOutput(path, ['-H', '-l', '-t', '-n', '-p', `sport = :${port}`], { env });
  return [...lines.matchAll(/fd=(\d+)\)/g)].map(([, fd]) => fd!);
};

let folder: TempTree;
let saved: string;
beforeEach(() => {
  folder = new TempTree();
  saved = folder.path('saved');
});
afterEach(() => folder[Symbol.dispose]());

const change = (pid: number, port: number, backlog: number, ...more: string[]): string[] => [
  `--pid=${pid}`,
  `--port=${port}`,
  `--backlog=${backlog}`,
  `--save=${saved}`,
  ...more,
];

describe.runIf(isRoot)('on a server that runs', () => {
  test('sets the limit of its socket, which holds as many connections more, and sets the old one again', async () => {
    await using server = await TcpServer.start();
    const { id, port } = await server.listen({ backlog: 8 });
    const other = await server.listen({ backlog: 8 });
    await server.flood(id, 40);
    await until('a full queue', async () => (await server.queueLength(id)) === 9);

    const [fd] = await descriptorsAt(port);
    expect(await relisten(change(server.pid, port, 32))).toEqual({
      status: 0,
      stdout: `socket: 127.0.0.1:${port}, descriptor ${fd} of process ${server.pid} (MainThread)
before: limit 8, 9 connections wait
risk: clients that were refused will wait, the last of them 32 / (accepts a second) seconds
now: limit 32, until the server calls listen() again or ends
undo: python3 ${script} --undo=${saved}
`,
      stderr: '',
    });
    expect(await limitsAt(port)).toEqual([32]);
    expect(await limitsAt(other.port)).toEqual([8]);
    // Refused clients retry, first after a second.
    await until('the longer queue to be full', async () => (await server.queueLength(id)) === 33);

    expect(await relisten([`--undo=${saved}`])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/\nnow: limit 8, as saved \(before: 32\)\n$/),
    });
    expect(await limitsAt(port)).toEqual([8]);
    expect(existsSync(saved)).toBe(false);
    // All queued clients keep their place, and the server is the same process.
    expect(await server.accept(id, 100)).toBe(33);
  });

  test('IPv6', async () => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8, family: 'ipv6' });
    expect(await relisten(change(server.pid, port, 32))).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`socket: [::1]:${port}, `),
    });
    expect(await limitsAt(port)).toEqual([32]);
  });

  test('of several sockets of one port it changes the one that is named, and none before', async () => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8, reusePort: true });
    await server.listen({ backlog: 9, reusePort: true, port });
    const fds = (await descriptorsAt(port)).sort((a, b) => Number(a) - Number(b));

    const socket = (fd: string) => `127.0.0.1:${port}, descriptor ${fd} of process ${server.pid} (MainThread)`;
    const choices = fds.map((fd, index) => `  --fd=${fd}   ${socket(fd)}, limit ${8 + index}`).join('\n');
    expect(await relisten(change(server.pid, port, 32))).toEqual(
      refusal(`process ${server.pid} has several sockets on port ${port}; add one of these:\n${choices}`),
    );
    expect(await limitsAt(port)).toEqual([8, 9]);
    expect(existsSync(saved)).toBe(false);

    expect(await relisten(change(server.pid, port, 32, `--fd=${fds[1]}`))).toMatchObject({ status: 0 });
    expect(await limitsAt(port)).toEqual([8, 32]);
  });

  test('changes it again, and sets the first limit again that it saved', async () => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8 });
    await relisten(change(server.pid, port, 16));
    expect(await relisten(change(server.pid, port, 32))).toMatchObject({ status: 0 });
    expect(await limitsAt(port)).toEqual([32]);
    await relisten([`--undo=${saved}`]);
    expect(await limitsAt(port)).toEqual([8]);
  });

  test('the process that was named has ended, and another has the socket: it sets the old limit again', async () => {
    const { path, env } = await debianTool('python3');
    const source = `import os, signal, socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(8)
child = os.fork()
if child:
    print(listener.getsockname()[1], child, flush=True)
signal.pause()
`;
    // Its own process group, which ends with both.
    const server = spawn(path, ['-c', source], { env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = exitOf(server);
    try {
      const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
      const [port, child] = line.split(' ').map(Number) as [number, number];
      expect(await relisten(change(child, port, 32))).toMatchObject({ status: 0, stderr: '' });
      expect(await limitsAt(port)).toEqual([32]);
      process.kill(child, 'SIGKILL');
      await until('the child to be gone', async () => (await descriptorsAt(port)).length === 1);
      expect(await relisten([`--undo=${saved}`])).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`of process ${server.pid} `),
      });
      expect(await limitsAt(port)).toEqual([8]);
    } finally {
      process.kill(-server.pid!, 'SIGKILL');
      await exited;
    }
  });

  test('the server was restarted: nothing is left to undo, and the new one keeps its own limit', async () => {
    await using server = await TcpServer.start();
    const { id, port } = await server.listen({ backlog: 8 });
    await relisten(change(server.pid, port, 16));
    await server.close(id);
    await server.listen({ backlog: 32, port });
    expect(await relisten([`--undo=${saved}`])).toEqual({
      status: 0,
      stdout: `nothing to undo: no process has the socket on port ${port} any more whose limit was 8\n`,
      stderr: '',
    });
    expect(await limitsAt(port)).toEqual([32]);
    expect(existsSync(saved)).toBe(false);
  });
});

describe.runIf(isRoot)('refuses, and changes nothing:', () => {
  test('a process without such a socket', async () => {
    await using server = await TcpServer.start();
    const { id, port } = await server.listen({ backlog: 8 });
    const { port: of } = await server.listen({ backlog: 8 });
    // A server's connections have its port, too.
    await server.establish(id, 1);
    await server.close(id);
    expect(await relisten(change(server.pid, port, 32))).toEqual(
      refusal(`process ${server.pid} has no socket that listens on TCP port ${port}: look at ss -ltnp`),
    );
    expect(await relisten(change(process.pid, of, 32))).toEqual(
      refusal(`process ${process.pid} has no socket that listens on TCP port ${of}: look at ss -ltnp`),
    );
    expect(await relisten(change(server.pid, of, 32, '--fd=0'))).toEqual(
      refusal(`process ${server.pid} has no descriptor 0 that listens on TCP port ${of}: look at ss -ltnp`),
    );
    expect(await limitsAt(of)).toEqual([8]);
  });

  test('to save into the file of another socket, or into anything else', async () => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8 });
    const { port: other } = await server.listen({ backlog: 8 });
    await relisten(change(server.pid, port, 16));
    const before = readFileSync(saved, 'utf8');
    expect(await relisten(change(server.pid, other, 32))).toMatchObject({
      status: 1,
      stderr: `relisten: ${saved} has the limit of another socket: undo that first (--undo=${saved}), or choose another file\n`,
    });
    expect(readFileSync(saved, 'utf8')).toBe(before);
    writeFileSync(saved, 'Send-Q');
    expect(await relisten(change(server.pid, other, 32))).toMatchObject({
      status: 1,
      stderr: `relisten: ${saved}: expected what relisten --save has written, found 'Send-Q'\n`,
    });
    expect(readFileSync(saved, 'utf8')).toBe('Send-Q');
    expect(await limitsAt(other)).toEqual([8]);
  });

  test('a process that has ended', async () => {
    const server = await TcpServer.start();
    await server[Symbol.asyncDispose]();
    expect(await relisten(change(server.pid, 80, 32))).toEqual(refusal(`there is no process ${server.pid}`));
  });

  test('a kernel without pidfd_getfd', async () => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8 });
    // A system call filter that answers like an old kernel.
    const asOldKernel = `import ctypes, os, struct, sys
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 438), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("@HP", len(rules), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])`;
    const { status, stderr } = await relisten(change(server.pid, port, 32), ['-c', asOldKernel, '-I']);
    expect(stderr).toMatch(/^relisten: Linux [\w.-]+ is too old: this needs 5\.6 or later \(pidfd_getfd\)\n$/);
    expect(status).toBe(1);
    expect(await limitsAt(port)).toEqual([8]);
    expect(existsSync(saved)).toBe(false);
  });

  test('an unprivileged user', async () => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8 });
    // The script and Python's modules may be readable only by root here.
    const asNobody = `import argparse, ctypes, fcntl, json, os, re, socket, struct, sys
sys.argv = sys.argv[1:]
with open(sys.argv[0]) as script: code = script.read()
argparse.ArgumentParser().parse_args([])
os.setgid(65534)
os.setuid(65534)
exec(code)`;
    expect(await relisten(change(server.pid, port, 32), ['-I', '-c', asNobody])).toEqual(refusal('needs root'));
    expect(await limitsAt(port)).toEqual([8]);
  });

  test.each([
    ['', 'what relisten --save has written, found '],
    ['{"boot": "x"}', `what relisten --save has written, found '{"boot": "x"}'`],
    ['[1]', `what relisten --save has written, found '[1]'`],
  ])('to undo from a file with %j', async (text, message) => {
    writeFileSync(saved, text);
    const { status, stderr } = await relisten([`--undo=${saved}`]);
    expect(stderr).toContain(`relisten: ${saved}: expected ${message}`);
    expect(status).toBe(1);
    expect(existsSync(saved)).toBe(true);
  });

  test('to undo without a file', async () => {
    expect(await relisten([`--undo=${saved}`])).toMatchObject({ status: 1, stderr: expect.stringContaining(saved) });
  });
});

const runbooks = join(project, 'runbooks');

/** Commands of runbooks that run the script, by page. */
const commandsOfRunbooks = new Map(
  readdirSync(runbooks)
    .filter((name) => name.endsWith('.md'))
    .map((name) => {
      const page = readFileSync(join(runbooks, name), 'utf8');
      return [
        name,
        [...page.matchAll(/^ *guest# (python3 \S*relisten .*)$/gm)].map(([, command]) => command!),
      ] as const;
    })
    .filter(([, commands]) => commands.length > 0),
);

test('runbooks name it', () => {
  expect([...commandsOfRunbooks.keys()]).toContain('XenAcceptQueueOverflow.md');
});

describe.runIf(isRoot)('the commands of runbooks change the limit and undo it:', () => {
  test.each([...commandsOfRunbooks])('%s', async (_, commands) => {
    await using server = await TcpServer.start();
    const { port } = await server.listen({ backlog: 8 });
    const { path, env } = await debianTool('python3');
    const variables = { PORT: String(port), PID: String(server.pid), BACKLOG: '32' };
    const limits: number[][] = [];
    for (const command of commands) {
      const typed = command
        .replace('python3 /usr/share/xen-exporter/relisten', `'${path}' -I '${script}'`)
        .replaceAll('/run/xen-runbook', folder.path('xen-runbook'))
        .replaceAll('<BACKLOG>', '32');
      await commandOutput('sh', ['-c', typed], { env: { ...env, ...variables } });
      limits.push(await limitsAt(port));
    }
    expect(limits).toEqual([[32], [8]]);
  });
});

const cannot = noNamespaces();

test.skipIf(cannot)(
  `refuses a limit above somaxconn of the socket's network namespace, which listen() would shorten${cannot ? ` (${cannot})` : ''}`,
  async () => {
    await using namespace = await NamedNamespace.add();
    const sysctl = (value: number) =>
      commandOutput('nsenter', [
        `--net=/run/netns/${namespace.name}`,
        'sh',
        '-c',
        `echo ${value} > /proc/sys/net/core/somaxconn`,
      ]);
    await sysctl(16);
    await using server = await namespace.startServer();
    const { port } = await server.listen({ backlog: 8 });
    const limit = async () => /^LISTEN +\d+ +(\d+) /m.exec(await namespace.ss('-H', '-l', '-t', '-n'))![1];

    expect(await relisten(change(server.pid, port, 32))).toEqual(
      refusal(
        'net.core.somaxconn is 16 there, and the limit cannot be larger: first raise it (sysctl -w net.core.somaxconn=32), or ask for at most 16',
      ),
    );
    expect(await limit()).toBe('8');
    expect(existsSync(saved)).toBe(false);

    await sysctl(32);
    expect(await relisten(change(server.pid, port, 32))).toMatchObject({ status: 0 });
    expect(await limit()).toBe('32');

    // The old limit would be shortened as well.
    await sysctl(4);
    expect(await relisten([`--undo=${saved}`])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is 4 there'),
    });
    expect(await limit()).toBe('32');
    expect(existsSync(saved)).toBe(true);
  },
);

test.each([
  [[], 'expected --pid, --port, --backlog and --save, or --undo'],
  [['--pid=1', '--port=80', '--backlog=8'], 'expected --pid, --port, --backlog and --save, or --undo'],
  [['--pid=<PID>'], "argument --pid: expected a whole number from 1 to 4194304, found '<PID>'"],
  [['--pid=0'], "argument --pid: expected a whole number from 1 to 4194304, found '0'"],
  [['--pid=1_0'], "argument --pid: expected a whole number from 1 to 4194304, found '1_0'"],
  [['--port=65536'], "argument --port: expected a whole number from 1 to 65535, found '65536'"],
  [['--port=http'], "argument --port: expected a whole number from 1 to 65535, found 'http'"],
  [['--backlog=0'], "argument --backlog: expected a whole number from 1 to 2147483647, found '0'"],
  [['--backlog=-1'], "argument --backlog: expected a whole number from 1 to 2147483647, found '-1'"],
  [['--backlog=4k'], "argument --backlog: expected a whole number from 1 to 2147483647, found '4k'"],
  [['--fd=x'], "argument --fd: expected a whole number from 0 to 2147483647, found 'x'"],
  [['--undo=/x', '--pid=1'], 'expected --undo alone'],
  [['--undo=/x', '--fd=0'], 'expected --undo alone'],
  [['--back=8'], 'unrecognized arguments: --back=8'],
])('arguments %j: usage, and exit status 2', async (args, message) => {
  expect(await relisten(args)).toEqual({
    status: 2,
    stdout: '',
    stderr: `usage: relisten --pid=PID --port=PORT --backlog=LIMIT --save=FILE [--fd=FD]
relisten --undo=FILE
relisten: error: ${message}
`,
  });
});

test('--help names the risk, who is affected, and what it needs', async () => {
  const { status, stdout } = await relisten(['--help']);
  expect(stdout).toMatch(/^Risk: .*\nAffected: .*\n/m);
  expect(stdout).toContain('Needs root, Linux 5.6 or later, and Python 3.6 or later.');
  expect(status).toBe(0);
});
