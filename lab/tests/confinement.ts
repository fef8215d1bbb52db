import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader } from '../../src/host/helper/protocol.ts';
import { filesOf, remoteCommand, statusRequest } from '../../src/host/helper/requests.ts';
import { anyBytes, editedCommands } from '../../tools/lib/helper-requests.ts';
import { until } from '../../tools/lib/until.ts';
import type { Installed } from '../harness/installed.ts';
import { HELPED_COMMANDS, withItsLocks } from './privileges.ts';
import { tell } from '../harness/tell.ts';

const LONG = { timeout: 1_200_000 };
const REQUESTS = 300;
const SOCKET = '/run/xen-exporter/helper.sock';
const AS_EXPORTER =
  'setpriv --reuid=xen-exporter --regid=xen-exporter --clear-groups --inh-caps=-all --bounding-set=-all';
const CAPABILITIES = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
/** Folders of all kinds of mounts that a process might write to. */
const FOLDERS = [
  '/',
  '/usr',
  '/etc',
  '/var',
  '/var/lib',
  '/var/log',
  '/run',
  '/root',
  '/home',
  '/boot',
  '/dev',
  '/dev/shm',
  '/proc/sys/kernel',
  '/tmp',
  '/var/tmp',
];

/** Tries what the units' processes can and cannot do on real Xen. */
export function describeConfinement(machines: () => Record<'dom0' | 'domu1', Installed>): void {
  const statusOf = async (installed: Installed, pid: string): Promise<Map<string, string>> =>
    new Map(
      (await installed.run(`cat /proc/${pid}/status`))
        .split('\n')
        .map((line) => line.split(':\t', 2) as [string, string]),
    );

  describe.for(['dom0', 'domu1'] as const)('%s: the process that speaks HTTP', (name) => {
    const installed = () => machines()[name];

    test('has no capability, is not root, and can get nothing by what it starts', async () => {
      const status = await statusOf(installed(), await installed().pid(installed().web));
      for (const set of CAPABILITIES) expect(status.get(set), set).toBe('0000000000000000');
      expect(status.get('Uid')).not.toMatch(/\b0\b/);
      expect(status.get('Gid')).not.toMatch(/\b0\b/);
      expect([status.get('NoNewPrivs'), status.get('Seccomp')]).toEqual(['1', '2']);
    });

    test('opens no device of Xen, writes nothing, starts nothing', LONG, async () => {
      const devices = [
        '/dev/xen/privcmd',
        '/dev/xen/xenbus',
        '/dev/xen/evtchn',
        '/dev/vda',
        '/dev/xvda',
        '/dev/mem',
        '/proc/xen/privcmd',
      ];
      const programs = ['/usr/bin/true', '/bin/sh', '/usr/sbin/xl', '/usr/bin/node', '/usr/lib/xen-4.17/bin/xenstored'];
      const attempts = [
        ...devices.map((path) => `open:${path}`),
        ...FOLDERS.map((path) => `write:${path}`),
        ...programs.map((path) => `run:${path}`),
      ];
      const results = await installed().attempts(installed().web, attempts);
      for (const [attempt, result] of results) tell(`${name}, ${installed().web}, ${attempt}: ${result}`);
      expect([...results].filter(([, result]) => result === 'done')).toEqual([]);
    });

    test('another port: systemd refuses it where it is built with that', LONG, async () => {
      const attempts = ['bind:10912', 'bind:80', 'status:Seccomp_filters'];
      const results = await installed().attempts(installed().web, attempts);
      // SocketBindDeny= needs systemd's BPF framework, which Debian 12's build lacks.
      const hasFramework = await installed().works('systemctl --version | grep -q +BPF_FRAMEWORK');
      tell(
        `${name}, ${installed().web}, systemd ${hasFramework ? 'with' : 'without'} BPF framework: ${[...results].flat().join(' ')}`,
      );
      expect(results.get('bind:10912') === 'done').toBe(!hasFramework);
      expect(results.get('bind:80')).not.toBe('done');
    });
  });

  describe('dom0: the process that speaks HTTP', () => {
    const dom0 = () => machines().dom0;

    test('has forbidden itself to start programs and to open other ports', LONG, async () => {
      const pid = await dom0().pid('xen-exporter-dom0');
      const own = Number((await statusOf(dom0(), pid)).get('Seccomp_filters'));
      const ofUnit = Number(
        (await dom0().attempts('xen-exporter-dom0', ['status:Seccomp_filters'])).get('status:Seccomp_filters'),
      );
      tell(`dom0, seccomp filters: ${ofUnit} of the unit, ${own} in the exporter`);
      // One filter for programs and io_uring, one for ports.
      expect(own).toBe(ofUnit + 2);
      // On this signal Node opens a port for its debugger.
      const ports = () => dom0().run(`ss -Hltnp | grep -F 'pid=${pid},'`);
      const before = await ports();
      await dom0().run(`kill -USR1 ${pid}`);
      const said = await until(
        'Node to try',
        async () => {
          const lines = await dom0().run(
            `journalctl --sync; journalctl --output=cat --unit=xen-exporter-dom0 _PID=${pid} | grep -i -E 'inspector|debugger' || :`,
          );
          return lines !== '' && lines;
        },
        { timeoutMs: 60_000, intervalMs: 500 },
      );
      tell(`dom0, told to open its debugger's port: ${said.trim()}`);
      expect(said).toContain('operation not permitted');
      expect(await ports()).toBe(before);
      expect(before.trim().split('\n')).toHaveLength(1);
      expect(await dom0().pid('xen-exporter-dom0')).toBe(pid);
    });
  });

  describe('dom0: the helper', () => {
    const dom0 = () => machines().dom0;
    const unit = 'xen-exporter-helper';

    test('is root without a capability, and has no network', async () => {
      const pid = await dom0().pid(unit);
      const status = await statusOf(dom0(), pid);
      for (const set of CAPABILITIES) expect(status.get(set), set).toBe('0000000000000000');
      expect([status.get('NoNewPrivs'), status.get('Seccomp')]).toEqual(['1', '2']);
      const links = await dom0().run(`nsenter -t ${pid} -n ip -o link`);
      tell(`dom0, links of the helper: ${links.trim()}`);
      expect(links.trim().split('\n')).toHaveLength(1);
      expect(links).toMatch(/^1: lo: <LOOPBACK/);
      const attempts = [
        'connect:127.0.0.1',
        `connect:${dom0().machine.ip}`,
        `connect:${machines().domu1.machine.ip}`,
        'bind:10912',
      ];
      const results = await dom0().attempts(unit, attempts);
      for (const [attempt, result] of results) tell(`dom0, ${unit}, ${attempt}: ${result}`);
      expect([...results].filter(([, result]) => result === 'done')).toEqual([]);
    });

    test('opens the devices of its list alone, and writes to its folders alone', LONG, async () => {
      const allowed = ['privcmd', 'hypercall', 'evtchn', 'xenbus'].map((device) => `open:/dev/xen/${device}`);
      const denied = [
        '/dev/xen/gntdev',
        '/dev/xen/gntalloc',
        '/dev/xen/xenbus_backend',
        '/dev/vda',
        '/dev/mem',
        '/dev/net/tun',
        '/dev/kmsg',
        '/dev/hvc0',
      ];
      const results = await dom0().attempts(unit, [
        ...allowed,
        ...denied.map((path) => `open:${path}`),
        ...FOLDERS.map((path) => `write:${path}`),
        'write:/var/lib/xen',
      ]);
      for (const [attempt, result] of results) tell(`dom0, ${unit}, ${attempt}: ${result}`);
      const done = [...results].flatMap(([attempt, result]) => (result === 'done' ? [attempt] : []));
      // Its /tmp is private and empty.
      expect(done.sort()).toEqual([...allowed, 'write:/tmp', 'write:/var/lib/xen', 'write:/var/tmp'].sort());
    });

    test('can run every command of its list in its unit; which of them write to /var/lib/xen', LONG, async () => {
      const writing: string[] = [];
      for (const command of HELPED_COMMANDS) {
        const shell = `/bin/bash -o pipefail -c '${withItsLocks(`${command} | cat`)}'`;
        const asItIs = await dom0().asUnit(unit, shell);
        const readOnly = await dom0().asUnit(unit, shell, ['ReadWritePaths=']);
        tell(
          `dom0, ${unit}, ${command}: ${asItIs.isWell}; /var/lib/xen read-only: ${readOnly.isWell}${readOnly.said.map((line) => `\n  ${line}`).join('')}`,
        );
        expect.soft(asItIs.isWell, `${command}: ${asItIs.said.join('\n')}`).toBe(true);
        if (!readOnly.isWell) writing.push(command);
      }
      expect(writing).toEqual(['xl list -l']);
    });

    test(`refuses ${REQUESTS} requests that are none, and goes on`, LONG, async () => {
      const isKnown = (request: string): boolean =>
        remoteCommand(request) !== undefined || filesOf(request) !== undefined || request === statusRequest;
      const almost = editedCommands.filter((line) => !isKnown(line)).map((line) => Buffer.from(`${line}\n`));
      const bytes = anyBytes.map((each) => Buffer.concat([each, Buffer.from('\n')]));
      const seed = randomInt(2 ** 31);
      const requests = fc.sample(fc.oneof(almost, bytes), { numRuns: REQUESTS, seed });
      const pid = await dom0().pid(unit);
      const lines = requests.map((request) => request.toString('hex')).join('\n');
      const answers = await dom0().run(`${AS_EXPORTER} python3 /lab/ask ${SOCKET} <<'END'\n${lines}\nEND`, 900_000);
      const types = answers
        .trim()
        .split('\n')
        .map((hex) =>
          new FrameReader()
            .push(Buffer.from(hex, 'hex'))
            .map(({ type }) => type)
            .join(),
        );
      expect(types, `seed ${seed}`).toEqual(requests.map(() => 'refusal'));
      expect(await dom0().pid(unit)).toBe(pid);
      const status = await dom0().run(
        `${AS_EXPORTER} python3 /lab/ask ${SOCKET} <<<${Buffer.from('status\n').toString('hex')}`,
      );
      const [answer] = new FrameReader().push(Buffer.from(status.trim(), 'hex'));
      expect(answer?.type).toBe('answer');
      tell(`dom0, ${types.length} requests refused; then: ${answer?.payload.toString()}`);
      // Other users must not have access.
      expect(
        await dom0().works(`setpriv --reuid=65534 --regid=65534 --clear-groups python3 /lab/ask ${SOCKET} <<<0a`),
      ).toBe(false);
    });
  });
}
