import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../../tools/lib/until.ts';
import type { Image } from './image.ts';

/** Debian's Xen has no others. */
export const SCHEDULER_NAMES = ['credit', 'credit2'] as const;

export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

/** First process of Dom0 and of every guest: busybox boots faster, systemd runs units. */
export const INIT_NAMES = ['busybox', 'systemd'] as const;

export type InitName = (typeof INIT_NAMES)[number];

/**
 * Whether emulated processors run concurrently, or in turn, which is slower. Concurrently, QEMU before 8.1 may execute
 * code that the kernel has already rewritten (fixed by its commit deba78709ae8): the kernel meets breakpoints of probes
 * that are long gone.
 */
export const THREADS = ['multi', 'single'] as const;

export type Threads = (typeof THREADS)[number];

/** A TCP port of a machine in the lab. */
export interface Endpoint {
  ip: string;
  port: number;
}

export interface QemuOptions {
  image: Image;
  /** A short path for sockets, logs and the pid. */
  folder: string;
  scheduler: SchedulerName;
  init: InitName;
  threads: Threads;
  /** Number of Xen's physical CPUs. */
  cpus: number;
  /** Each is forwarded from a loopback port of this machine. */
  endpoints: readonly Endpoint[];
  /** QEMU is ended after this time in any case. */
  lifetimeSeconds: number;
  /** Additional arguments for the hypervisor. */
  xenArguments?: string;
}

export interface Qemu {
  /** Pid of the process that ends QEMU after its lifetime and passes SIGTERM on to it. */
  pid: number;
  /** Ports of 127.0.0.1, in the order of the endpoints. */
  ports: number[];
}

export const CONSOLE_LOG = 'console.log';

// Bugs in QEMU's emulation of these features stop Xen or a guest:
// monitor: Xen idles by MWAIT with hints, which raise #GP. smap: IRETQ from ring 3 to ring 3, in a PV kernel, faults.
// xsave and all later vector instructions: the first one in a PVH guest raises #UD. rdtscp: reports the wrong
// intercept.
// nrip-save: the address of the next instruction is wrong.
const PROCESSOR = [
  'EPYC,+svm,+npt',
  ...['monitor', 'smap', 'rdtscp', 'xsave', 'xsaveopt', 'xsavec', 'xgetbv1', 'avx', 'avx2', 'f16c', 'fma', 'nrip-save'],
  ...['rdseed', 'sha-ni', 'fxsr-opt', 'misalignsse', '3dnowprefetch', 'osvw', 'topoext'],
].join(',-');

const MEMORY_MIB = 5120;
const DOM0_MEMORY_MIB = 2048;
const DOM0_VCPUS = 2;

/** Default number of physical CPUs. */
export const USUAL_CPUS = 4;

/** Starts QEMU with Xen and Dom0. Returns as soon as it runs, before they have booted. */
export async function startQemu(options: QemuOptions): Promise<Qemu> {
  const { folder, lifetimeSeconds } = options;
  const log = openSync(join(folder, 'qemu.log'), 'a');
  const child = spawn(
    'timeout',
    ['--kill-after=10', String(lifetimeSeconds), 'qemu-system-x86_64', ...qemuArguments(options)],
    { detached: true, stdio: ['ignore', log, log] },
  );
  await once(child, 'spawn');
  child.unref();
  const pid = child.pid!;
  try {
    const table = await until(
      'QEMU to answer',
      () => {
        if (child.exitCode !== null) throw new Error(`QEMU ended: ${readFileSync(join(folder, 'qemu.log'), 'utf8')}`);
        return monitorCommand(join(folder, 'monitor'), 'info usernet').catch(() => undefined);
      },
      { timeoutMs: 20_000, intervalMs: 50 },
    );
    return { pid, ports: options.endpoints.map((endpoint) => forwardedPort(table, endpoint)) };
  } catch (error) {
    await stopQemu(pid, folder);
    throw error;
  }
}

/** Ends this folder's QEMU if it still has this pid. */
export async function stopQemu(pid: number, folder: string): Promise<void> {
  if (!isQemuOf(pid, folder)) return;
  process.kill(pid, 'SIGTERM');
  await until('QEMU to end', () => !isQemuOf(pid, folder), { timeoutMs: 20_000, intervalMs: 50 });
}

/** Whether this pid is still this folder's QEMU, not another process with a reused pid. */
export function isQemuOf(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(folder, 'monitor'));
  } catch {
    return false;
  }
}

function qemuArguments(options: QemuOptions): string[] {
  const { image, folder, scheduler, init, threads, cpus, endpoints, xenArguments = '' } = options;
  const forwards = endpoints.map(({ ip, port }) => `,hostfwd=tcp:127.0.0.1:0-${ip}:${port}`).join('');
  const memory = `dom0_mem=${DOM0_MEMORY_MIB}M,max:${DOM0_MEMORY_MIB}M dom0_max_vcpus=${DOM0_VCPUS}`;
  const dom0 = `console=hvc0 lab.role=dom0 lab.name=dom0 lab.ip=10.0.2.15 lab.disk=vda lab.init=${init} mitigations=off net.ifnames=0`;
  return [
    ...['-name', 'xen-lab', '-machine', 'q35', '-accel', `tcg,thread=${threads}`, '-cpu', PROCESSOR],
    ...['-smp', String(cpus), '-m', String(MEMORY_MIB), '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', image.hypervisor],
    ...[
      '-append',
      `com1=115200,8n1 console=com1 ${memory} sched=${scheduler} loglvl=all guest_loglvl=all noreboot bootscrub=0 ${xenArguments}`,
    ],
    ...['-initrd', `${image.kernel} ${dom0},${image.initrd}`],
    ...['-drive', `file=${image.disk},if=none,id=disk,format=raw,readonly=on`, '-device', 'virtio-blk-pci,drive=disk'],
    // restrict: the lab cannot reach anything outside.
    ...['-netdev', `user,id=net,restrict=on${forwards}`, '-device', 'virtio-net-pci,netdev=net,mac=52:54:00:00:00:15'],
    ...['-device', 'virtio-rng-pci', '-serial', `file:${join(folder, CONSOLE_LOG)}`],
    ...['-qmp', `unix:${join(folder, 'monitor')},server=on,wait=off`],
  ];
}

/** Sends a command to QEMU's human monitor through QMP. Returns the answer. */
async function monitorCommand(socket: string, command: string): Promise<string> {
  const connection = createConnection(socket);
  try {
    await once(connection, 'connect');
    const send = (message: object) => connection.write(`${JSON.stringify(message)}\n`);
    send({ execute: 'qmp_capabilities' });
    send({ execute: 'human-monitor-command', arguments: { 'command-line': command } });
    for await (const line of createInterface({ input: connection })) {
      const message = JSON.parse(line) as { return?: unknown; error?: { desc: string } };
      if (message.error !== undefined) throw new Error(`QEMU, asked for ${command}: ${message.error.desc}`);
      if (typeof message.return === 'string') return message.return;
    }
    throw new Error(`QEMU closed its monitor`);
  } finally {
    connection.destroy();
  }
}

/** Parses a line such as `TCP[HOST_FORWARD]  9  127.0.0.1 43253  10.0.2.15    22     0     0`. */
function forwardedPort(table: string, { ip, port }: Endpoint): number {
  for (const line of table.split('\n')) {
    const [protocol, , , hostPort, guestIp, guestPort] = line.trim().split(/\s+/);
    if (protocol === 'TCP[HOST_FORWARD]' && guestIp === ip && guestPort === String(port)) return Number(hostPort);
  }
  throw new Error(`QEMU forwards no port to ${ip}:${port}, but: ${table}`);
}
