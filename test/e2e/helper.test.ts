import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDaemon, type Daemon, type DaemonOptions, type ProcessUser } from '../../tools/lib/daemon.ts';
import { fileFlags, hostFlags } from '../../tools/lib/copied-host.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { sendRequest } from '../../src/host/helper/client.ts';
import { answerIn, type HelperStatus } from '../../src/host/helper/protocol.ts';
import { statusRequest } from '../../src/host/helper/requests.ts';
import { startHelper, type HelperProcess } from '../support/helper.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';

let tree: TempTree;
let socket: string;
beforeEach(() => {
  ({ tree } = copyOfHost('credit-storm'));
  socket = tree.path('helper.sock');
});
afterEach(() => tree[Symbol.dispose]());

const quick = ['--toolstack.interval=1'];
type ProcessOptions = Pick<DaemonOptions, 'user' | 'env'>;

const help = (as: ProcessOptions = {}): Promise<HelperProcess> =>
  startHelper(socket, [...hostFlags(tree.root), '--toolstack.timeout=2'], as);
const serve = (as: ProcessOptions = {}): Promise<Daemon> =>
  startDaemon({
    args: ['--privileged-reads=helper', `--helper.socket=${socket}`, ...fileFlags(tree.root), ...quick],
    ...as,
  });
const serveAlone = (): Promise<Daemon> => startDaemon({ args: [...hostFlags(tree.root), ...quick] });

const failing = (page: Exposition): string[] =>
  page
    .samples('xen_exporter_collector_success')
    .filter(({ value }) => value === 0)
    .map(({ labels }) => labels['collector']!)
    .sort();
// Integrals, which exist after two samples.
const sampled = /^xen_netback_(rx_empty|tx_waiting|guest_queue_full|rate_limited)_seconds_total$/;
const needHelp = ['domains', 'host', 'netback', 'passthrough', 'scheduler'];

/** A page with all of xl's data. */
const wholePage = (daemon: Daemon, timeoutMs = 30_000): Promise<Exposition> =>
  until(
    'everything of xl',
    async () => {
      const page = await daemon.metrics();
      const all = [
        'domain_vcpus',
        'host_cpus',
        'pci_assignable_devices',
        'domain_scheduler_weight',
        'netback_interrupts_total',
      ];
      const isNamed =
        page.samples('xen_domain_info').some(({ labels }) => labels['pool'] !== '') &&
        page.samples('xen_vif_info').every(({ labels }) => labels['mac'] !== '');
      return isNamed && all.every((name) => page.samples(`xen_${name}`).length > 0) && page;
    },
    { timeoutMs },
  );

/** Processes whose command line contains this text. */
const running = (text: string): number =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
    } catch {
      return false;
    }
  }).length;

test('code in the exporter can start no program, listen nowhere else and make no io_uring, which would do both', async () => {
  const inside = `
    import { spawnSync } from 'node:child_process';
    import { createRequire } from 'node:module';
    import { createServer } from 'node:net';
    const koffi = createRequire(${JSON.stringify(join(project, 'package.json'))})('koffi');
    const setup = koffi.load(null).func('long syscall(long, unsigned int, void *)');
    process.once('SIGUSR2', () => {
      const program = spawnSync('/bin/true').error?.code;
      const ring = setup(425, 8, Buffer.alloc(120)) < 0 ? koffi.errno() : 'made';
      createServer().listen(0, '127.0.0.1').once('error', ({ code }) => console.error('INSIDE', program, ring, code));
    });`;
  tree.write({ 'inside.mjs': inside });
  await using _helper = await help();
  await using daemon = await serve({ env: { NODE_OPTIONS: `--import=${tree.path('inside.mjs')}` } });
  process.kill(daemon.pid, 'SIGUSR2');
  const [, said] = await until('what came of it', () => /^INSIDE (.*)$/m.exec(daemon.log()));
  // errno 1 is EPERM.
  expect(said).toBe('EPERM 1 EPERM');
});

test('programs of run states are there only if the own configuration of the helper enables them', async () => {
  for (const name of ['xentrace', 'lsevtchn']) tree.writeScript(`tools/${name}`, 'exit 0');
  tree.write({ 'helper.yml': 'collector:\n  runstate: {enabled: true}\n' });
  const flags = ['--path.procfs=/proc', `--path.tools=${tree.path('tools')}`];
  const traces = async (...args: string[]): Promise<boolean> => {
    await using helper = await startHelper(socket, [...flags, ...args]);
    const { programs } = answerIn<HelperStatus>(await sendRequest(socket, statusRequest).last);
    await helper.stop();
    return programs.includes('xentrace') && programs.includes('lsevtchn');
  };
  expect(await traces()).toBe(false);
  expect(await traces('--collector.runstate')).toBe(true);
  expect(await traces(`--config.file=${tree.path('helper.yml')}`)).toBe(true);
});

const hangXl = (): void => {
  tree.writeScript('bin/xl', `# ${tree.path('bin/xl')}\nexec sleep 300.${process.pid}`);
};

test('the same Dom0 as without it', async () => {
  /** Series that describe neither the exporter itself nor the moment. */
  const ofDom0 = (page: Exposition): string[] =>
    [...page.families.keys()]
      .filter((name) => /^xen_(?!exporter|listener|backend_eoi)/.test(name) && !sampled.test(name))
      .flatMap((name) => page.samples(name))
      .map(({ name, labels, value }) => `${name} ${JSON.stringify(labels)} ${name.includes('observations') || value}`)
      .sort();
  const alone = await (async () => {
    await using daemon = await serveAlone();
    return ofDom0(await wholePage(daemon));
  })();
  await using helper = await help();
  await using daemon = await serve();
  const page = await wholePage(daemon);
  expect(ofDom0(page)).toEqual(alone);
  expect(alone.length).toBeGreaterThan(250);
  expect(failing(page)).toEqual([]);
  expect(page.value('xen_exporter_helper_up')).toBe(1);
  expect(page.value('xen_exporter_helper_resident_memory_bytes')).toBeGreaterThan(10e6);
  // Only the helper has run programs.
  expect(page.value('xen_exporter_command_duration_seconds_count', { command: 'xl info' })).toBe(1);
  expect((await daemon.get('/')).body).toContain('there is no xen-diag');
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(await helper.stop()).toEqual({ code: 0, signal: null });
  expect(existsSync(socket)).toBe(false);
});

describe.runIf(process.getuid?.() === 0)('as a user without privilege', () => {
  const user: ProcessUser = { uid: 65_534, gid: 65_534 };
  /** Hides the root-only parts of the copy, as debugfs is hidden. */
  const hide = (): void => {
    chmodSync(tree.root, 0o755);
    chmodSync(tree.path('sys/kernel/debug'), 0o700);
    chmodSync(tree.path('bin/xl'), 0o700);
  };

  test('the rings come from the helper, which only the group may ask', async () => {
    hide();
    await using _helper = await help({ user: { uid: 0, gid: user.gid } });
    const { mode, uid, gid } = statSync(socket);
    expect({ mode: mode & 0o777, uid, gid }).toEqual({ mode: 0o660, uid: 0, gid: user.gid });
    await using daemon = await serve({ user });
    const page = await wholePage(daemon);
    expect(page.value('xen_netback_ring_consumed_slots_total', { domain: 'domu1', ring: 'tx' })).toBe(8196);
    expect(failing(page)).toEqual([]);
    // It cannot start programs either (seccomp(2)).
    expect(readFileSync(`/proc/${daemon.pid}/status`, 'latin1')).toContain('\nSeccomp:\t2\n');
    await using stranger = await serve({ user: { uid: 65_533, gid: 65_533 } });
    const strangers = await stranger.metrics();
    expect(strangers.samples('xen_netback_ring_consumed_slots_total')).toEqual([]);
    expect(strangers.value('xen_exporter_helper_up')).toBe(0);
    expect(stranger.log()).toContain(`connect EACCES ${socket}`);
  });

  test('the length of a jiffy, from a file of this kernel that only root can read', async () => {
    expect(statSync('/proc/timer_list').mode & 0o777).toBe(0o400);
    chmodSync(tree.root, 0o755);
    await using _helper = await startHelper(socket, [], { user: { uid: 0, gid: user.gid } });
    const args = ['--privileged-reads=helper', `--helper.socket=${socket}`, `--path.sysfs=${tree.path('sys')}`];
    await using daemon = await startDaemon({ args, user });
    const lacksHz = async () => (await daemon.get('/')).body.includes('jiffies of unknown length');
    await daemon.metrics();
    await until('two readings', async () => {
      await daemon.metrics();
      return !(await lacksHz());
    });
  });
});

describe('a helper that is gone', () => {
  test('costs its collectors, and nothing of it once it is back', { timeout: 180_000 }, async () => {
    const helper = await help();
    await using daemon = await serve();
    await wholePage(daemon);
    await helper.stop('SIGKILL');
    const page = await until('what needs it to fail', async () => {
      const each = await daemon.metrics();
      return failing(each).includes('domains') && failing(each).includes('netback') && each;
    });
    expect(failing(page).filter((name) => !needHelp.includes(name))).toEqual([]);
    // Known names remain valid.
    expect(page.value('xen_vif_receive_packets_total', { domain: 'domu1' })).toBe(7206);
    await until('it to be missed', async () => (await daemon.metrics()).value('xen_exporter_helper_up') === 0);
    expect(daemon.log()).toContain('msg="The helper does not answer"');
    await using _again = await help();
    await until('the recovery', async () => failing(await daemon.metrics()).length === 0, { timeoutMs: 60_000 });
    await until('its memory', async () => (await daemon.metrics()).value('xen_exporter_helper_up') === 1);
  });

  test('before the exporter starts: as soon as it is there', async () => {
    await using daemon = await serve();
    const page = await until('failures', async () => {
      const each = await daemon.metrics();
      return failing(each).includes('domains') && each;
    });
    expect(page.samples('xen_cpu_seconds_total').length).toBeGreaterThan(0);
    await using _helper = await help();
    // Failed readings of a slow schedule are retried after half a minute.
    await wholePage(daemon, 90_000);
  });

  test('or stands still', { timeout: 180_000 }, async () => {
    await using helper = await help();
    await using daemon = await serve();
    await wholePage(daemon);
    process.kill(helper.pid, 'SIGSTOP');
    try {
      const page = await until('what needs it to fail', async () => {
        const each = await daemon.metrics();
        return failing(each).includes('netback') && each;
      });
      expect(page.value('xen_exporter_collector_success', { collector: 'listeners' })).toBe(1);
    } finally {
      process.kill(helper.pid, 'SIGCONT');
    }
    await until('the recovery', async () => failing(await daemon.metrics()).length === 0, { timeoutMs: 120_000 });
  });
});

describe('nothing is left', () => {
  const mark = () => `300.${process.pid}`;

  test('of an exporter that was killed in the middle of a command', async () => {
    hangXl();
    await using helper = await help();
    await using daemon = await serve();
    await until('xl to hang', () => running(mark()) > 0);
    await daemon.stop('SIGKILL');
    await until('it to be ended', () => running(mark()) === 0);
    expect(await helper.stop()).toEqual({ code: 0, signal: null });
  });

  test('of a helper that was asked to end in the middle of one', async () => {
    hangXl();
    const helper = await help();
    await using _daemon = await serve();
    await until('xl to hang', () => running(mark()) > 0);
    expect(await helper.stop()).toEqual({ code: 0, signal: null });
    await until('it to be ended', () => running(mark()) === 0);
    expect(existsSync(socket)).toBe(false);
  });

  test('of many starts and ends', { timeout: 3_600_000 }, async () => {
    const cycles = Number(process.env['XEN_CYCLES'] ?? 5);
    const signals = ['SIGTERM', 'SIGKILL'] as const;
    const env = { TMPDIR: tree.path('tmp') };
    mkdirSync(env.TMPDIR);
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const helper = await help({ env });
      const daemon = await serve({ env });
      // Ends both in either order during their start-up, each by either signal in turn.
      const ends = [() => helper.stop(signals[cycle & 1]), () => daemon.stop(signals[(cycle >> 1) & 1])];
      for (const end of cycle & 4 ? ends.reverse() : ends) await end();
    }
    await until('no process to be left', () => running(tree.root) === 0);
    expect(readdirSync(env.TMPDIR)).toEqual([]);
    // A killed helper leaves its socket, which the next one replaces.
    const made = readdirSync(tree.root).filter((name) => !['bin', 'commands', 'proc', 'sys', 'tmp'].includes(name));
    expect(made.filter((name) => name !== 'helper.sock')).toEqual([]);
  });
});
