import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { startDaemon } from '../../tools/lib/daemon.ts';
import { freePort } from '../../tools/lib/free-port.ts';
import { project } from '../../tools/lib/project.ts';
import { StormReplay } from '../../tools/lib/storm-replay.ts';

interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `xen-exporter doctor` to its end. */
const doctor = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> => {
  const child = spawn(process.execPath, [join(project, 'dist/main.js'), 'doctor', ...args], {
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
  unseen: { what: string; why: string }[];
}

const serve = async (listener: RequestListener) => {
  const server = createServer(listener).listen(0, '127.0.0.1');
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

describe('the exporters of a host and of its guest in a storm', () => {
  test('one verdict names guest, hop, cause and command', { timeout: 120_000 }, async () => {
    using replay = new StormReplay();
    await using dom0 = await startDaemon({ args: replay.flags.dom0 });
    await using guest = await startDaemon({ args: replay.flags.guest });
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

  test('if none answers, the status is unknown', async () => {
    const { status, stdout } = await doctor(['--for=5', `--host=127.0.0.1:${await freePort()}`]);
    expect(status).toBe(3);
    expect(stdout).toMatch(/^UNKNOWN Nothing could be judged/);
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
