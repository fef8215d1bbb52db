import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { startDaemon } from '../../tools/lib/daemon.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { freePort } from '../../tools/lib/free-port.ts';
import { project } from '../../tools/lib/project.ts';
import { StormReplay } from '../../tools/lib/storm-replay.ts';
import { until } from '../../tools/lib/until.ts';
import { CertificateAuthority } from '../support/certificates.ts';

interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

const main = join(project, 'dist/main.js');

/** The flags that say where the files and programs of a machine are. */
const filesOf = (flags: readonly string[]): string[] => flags.filter((flag) => flag.startsWith('--path.'));

/** Runs `xen-exporter doctor` to its end. */
const doctor = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> => {
  const child = spawn(process.execPath, [main, 'doctor', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { status, stdout, stderr };
};

interface JsonVerdict {
  schema: number;
  status: string;
  summary: string;
  guests: {
    name: string;
    status: string;
    seen_by: { guest: boolean; host: boolean };
    symptoms: { alert: string }[];
    causes: { alert: string; hop: string; first_step: { on: string; command: string }; mitigations: unknown[] }[];
  }[];
  hosts: { instance: string }[];
  exporters: { alert: string; instance: string }[];
  unseen: { what: string; why: string }[];
}

const listening = async (server: Server) => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.dispose]: (): void => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const serve = (listener: RequestListener) => listening(createServer(listener));

describe('the exporters of a host and of its guest in a storm', () => {
  test('one verdict names guest, hop, cause and command', { timeout: 120_000 }, async () => {
    using replay = new StormReplay();
    await using dom0 = await startDaemon({ args: replay.flags.dom0 });
    await using guest = await startDaemon({ args: replay.flags.guest });
    expect((await guest.get('/')).body).toContain('No verdict yet');
    replay.begin();
    const peers = [`--host=127.0.0.1:${dom0.port}`, `--guest=127.0.0.1:${guest.port}`];
    const { status, stdout, stderr } = await doctor(['--for=30', '--json', ...peers]);
    expect(stderr).toBe('');
    expect(status).toBe(2);
    const verdict = JSON.parse(stdout) as JsonVerdict;
    expect(verdict).toMatchObject({ schema: 1, status: 'critical', hosts: [{ instance: `127.0.0.1:${dom0.port}` }] });
    const domu1 = verdict.guests.find(({ name }) => name === 'domu1')!;
    expect(domu1).toMatchObject({ status: 'critical', seen_by: { guest: true, host: true } });
    expect(domu1.symptoms.map(({ alert }) => alert)).toContain('XenAcceptQueueOverflow');
    expect(['XenVcpuStarved', 'XenCreditExhaustion']).toContain(domu1.causes[0]!.alert);
    expect(domu1.causes[0]).toMatchObject({ hop: 'vCPU', first_step: { on: 'dom0', command: 'xl vcpu-list' } });
    expect(domu1.causes[0]!.mitigations.length).toBeGreaterThan(0);
    expect(verdict.summary).toContain('domu1');

    // The page of an exporter has the same verdict about its machine, from the scrapes of doctor.
    const live = JSON.parse((await guest.get('/-/diagnosis')).body) as JsonVerdict;
    expect(live).toMatchObject({ schema: 1, status: 'critical', guests: [{ seen_by: { guest: true, host: false } }] });
    const { body } = await guest.get('/');
    expect(body).toMatch(/<p class="verdict critical"><strong>critical<\/strong>: [^<]* refuses connections/);
    expect(body).toMatch(/<td>0\.0\.0\.0:8080<\/td><td>\d of 8<\/td><td>\d+(\.\d)? %<\/td>/);
  });
});

describe('exporters that cannot be read', () => {
  test('each is named with what is wrong, and the others are judged', { timeout: 60_000 }, async () => {
    using replay = new StormReplay();
    await using guest = await startDaemon({ args: replay.flags.guest });
    using hanging = await serve(() => {});
    using locked = await serve((_, response) => void response.writeHead(401).end());
    using foreign = await serve((_, response) => void response.end('up 1\n'));
    using broken = await serve(
      (_, response) => void response.end('xen_exporter_build_info{version="1"} 1\nxen_domain_info{'),
    );
    const refusing = `127.0.0.1:${await freePort()}`;
    const peers = [hanging.address, locked.address, foreign.address, broken.address, refusing];
    const { status, stdout } = await doctor([
      '--for=6',
      '--json',
      `--guest=127.0.0.1:${guest.port}`,
      ...peers.map((address) => `--host=${address}`),
    ]);
    const verdict = JSON.parse(stdout) as JsonVerdict;
    const why = (address: string): string => verdict.unseen.find(({ what }) => what === address)?.why ?? '';
    expect(why(hanging.address)).toBe('no answer yet');
    expect(why(locked.address)).toBe('it asks for another user or password (401); see --user and --password-file');
    expect(why(foreign.address)).toBe('its page is not that of xen-exporter');
    expect(why(broken.address)).toBe('line 2: expected a metric, labels and a number, found "xen_domain_info{"');
    expect(why(refusing)).toContain('ECONNREFUSED');
    expect(verdict.guests).toHaveLength(1);
    expect(status).not.toBe(3);
  });

  test('two guests with one uuid are both named', { timeout: 60_000 }, async () => {
    const page = `xen_exporter_build_info{version="1"} 1
xen_guest_info{uuid="6c9ee902-e8b7-484d-b5a1-502d89e835de",type="pv",role="guest"} 1
`;
    using one = await serve((_, response) => void response.end(page));
    using other = await serve((_, response) => void response.end(page));
    const { status, stdout } = await doctor([
      '--for=10',
      '--json',
      `--guest=${one.address}`,
      `--guest=${other.address}`,
    ]);
    const { exporters } = JSON.parse(stdout) as JsonVerdict;
    expect(status).toBe(1);
    expect(exporters.map(({ alert }) => alert)).toEqual(['XenGuestUuidConflict', 'XenGuestUuidConflict']);
    expect(new Set(exporters.map(({ instance }) => instance))).toEqual(new Set([one.address, other.address]));
  });

  test('an exporter whose certificate nobody trusts is named; with its authority it is read', async () => {
    using tree = new TempTree();
    const ca = await CertificateAuthority.create(tree.root);
    const { cert, key } = await ca.issue('exporter', ['IP:127.0.0.1']);
    const page = 'xen_exporter_build_info{version="1"} 1\n';
    using peer = await listening(createHttpsServer({ cert, key }, (_, response) => void response.end(page)));
    const ask = async (args: readonly string[]) => {
      const { stdout } = await doctor(['--for=5', '--json', `--guest=https://${peer.address}`, ...args]);
      const { unseen } = JSON.parse(stdout) as JsonVerdict;
      return unseen.find(({ what }) => what === peer.address)?.why;
    };
    expect(await ask([])).toMatch(/certificate/);
    expect(await ask([`--tls.ca-file=${ca.certFile}`])).toBeUndefined();
  });

  test('if none answers, the status is unknown', async () => {
    const { status, stdout } = await doctor(['--for=5', `--host=127.0.0.1:${await freePort()}`]);
    expect(status).toBe(3);
    expect(stdout).toMatch(/^UNKNOWN Nothing could be judged/);
  });
});

describe('this machine', () => {
  test('is read by its own collectors: in Dom0 all its guests', { timeout: 60_000 }, async () => {
    using replay = new StormReplay();
    const { status, stdout, stderr } = await doctor(['--for=6', ...filesOf(replay.flags.dom0)]);
    expect(stderr).toBe('');
    expect(status).not.toBe(3);
    for (const name of ['domu1', 'domu2', 'pvh1']) expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
    expect(stdout).toContain('inside domu1, domu2, pvh1: no exporter in this guest was read');
  });

  test('without xl the guests have no names, and the verdict says why', { timeout: 60_000 }, async () => {
    using replay = new StormReplay();
    const [procfs, sysfs] = filesOf(replay.flags.dom0);
    const { stdout } = await doctor(['--for=6', '--json', procfs!, sysfs!, '--path.tools=/nonexistent']);
    const { unseen } = JSON.parse(stdout) as JsonVerdict;
    expect(unseen.find(({ what }) => what.includes('domains'))!.why).toContain('there is no xl in /nonexistent');
  });
});

describe('--watch', () => {
  test.each([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ])('redraws until %s, and restores the terminal', { timeout: 60_000 }, async (_, key) => {
    using peer = await serve((__, response) => void response.end('xen_exporter_build_info{version="1"} 1\n'));
    const command = `${process.execPath} ${main} doctor --watch --guest=${peer.address}`;
    // script(1) gives the command a terminal, whose keys are what is written to it.
    const child = spawn('script', ['-qec', `stty -g; ${command}; echo "status $?"; stty -g`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await until('two pictures', () => output.split('q or Ctrl-C: end').length > 2, { timeoutMs: 30_000 });
    child.stdin.write(key);
    await once(child, 'exit');
    expect(output).toContain('status 3');
    const [before, ...rest] = output.trim().split(/\r?\n/);
    expect(before).toMatch(/^[0-9a-f:]+$/);
    expect(rest.at(-1)).toBe(before);
  });

  test('needs a terminal', async () => {
    const { status, stderr } = await doctor(['--watch']);
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: 'xen-exporter: --watch: expected a terminal on standard output\n',
    });
  });
});

test.each([
  [['--for=soon'], '--for: expected a whole number from 5 to 3600, found "soon"'],
  [['--host=a b'], '--host: expected'],
  [['--targets=/nonexistent'], '--targets=/nonexistent: ENOENT'],
  [['--user=me'], 'expected a password in --password-file or XEN_EXPORTER_PASSWORD'],
  [['--tls.cert-file=/dev/null'], 'expected both or none of them'],
  [['--watch', '--json'], 'expected one of them'],
  [['--host=h:1', '--guest=h:1'], 'h:1: expected one role'],
])('%s is wrong usage', async (args, message) => {
  const { status, stderr, stdout } = await doctor(args);
  expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
  expect(stderr).toContain(message);
});
