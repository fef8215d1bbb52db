import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../tools/lib/until.ts';
import { CACHE, labImage } from './image.ts';
import { Machine } from './machine.ts';
import {
  CONSOLE_LOG,
  isQemuOf,
  startQemu,
  stopQemu,
  USUAL_CPUS,
  type InitName,
  type Qemu,
  type SchedulerName,
  type Threads,
} from './qemu.ts';

/** Guests by name, as in etc/xen/NAME.cfg of the image. */
const GUEST_ADDRESSES = {
  domu1: '10.0.2.101',
  domu2: '10.0.2.102',
  pvh1: '10.0.2.103',
  hvm1: '10.0.2.104',
} as const;

export type GuestName = keyof typeof GUEST_ADDRESSES;

/** The target label xen_role of a machine. */
export const roleOf = (machine: string): 'host' | 'guest' => (machine in GUEST_ADDRESSES ? 'guest' : 'host');

export const GUEST_NAMES = Object.keys(GUEST_ADDRESSES) as GuestName[];

/** Guests without a device model. */
export const USUAL_GUESTS = GUEST_NAMES.filter((name) => name !== 'hvm1');

const DOM0_ADDRESS = '10.0.2.15';
export const SSH_PORT = 22;
export const EXPORTER_PORT = 28697;

const DOM0_BOOT_MS = 300_000;
const GUEST_BOOT_MS = 300_000;

export interface LabOptions {
  scheduler: SchedulerName;
  /** Init of Dom0 and all guests. */
  init?: InitName;
  guests: readonly GuestName[];
  /** The lab ends after this time. */
  lifetimeSeconds: number;
  threads?: Threads;
  /** Number of physical CPUs. */
  cpus?: number;
  xenArguments?: string;
  /** Receives progress messages: booting takes minutes. */
  progress?: (message: string) => void;
}

/** Data with which another process finds a running lab. */
interface Traces {
  qemu: Qemu;
  folder: string;
  key: string;
  guests: readonly GuestName[];
  scheduler: SchedulerName;
  init: InitName;
  threads: Threads;
  cpus: number;
}

/** A Xen host under QEMU: Dom0 and its guests, booted from read-only images, with all state in memory. */
export class Lab implements AsyncDisposable {
  readonly scheduler: SchedulerName;
  readonly init: InitName;
  readonly threads: Threads;
  readonly cpus: number;
  readonly dom0: Machine;
  readonly guests: ReadonlyMap<GuestName, Machine>;
  readonly #traces: Traces;

  private constructor(traces: Traces) {
    const { qemu, folder, key, guests, scheduler, init, threads, cpus } = traces;
    const machine = (name: string, ip: string, index: number) =>
      new Machine(name, ip, { sshPort: qemu.ports[2 * index]!, exporterPort: qemu.ports[2 * index + 1]!, key, folder });
    this.#traces = traces;
    this.scheduler = scheduler;
    this.init = init;
    this.threads = threads;
    this.cpus = cpus;
    this.dom0 = machine('dom0', DOM0_ADDRESS, 0);
    this.guests = new Map(guests.map((name, index) => [name, machine(name, GUEST_ADDRESSES[name], index + 1)]));
  }

  /** Builds the image if necessary, boots Xen and Dom0, creates the guests, and waits until all answer. */
  static async boot(options: LabOptions): Promise<Lab> {
    const { scheduler, init = 'busybox', threads = 'multi', guests, lifetimeSeconds, progress = () => {} } = options;
    const { cpus = USUAL_CPUS, xenArguments = '' } = options;
    progress('image: from the cache, or built in about a minute');
    const image = await labImage({ withDeviceModel: guests.includes('hvm1') });
    const folder = await mkdtemp(join(tmpdir(), 'xen-lab-'));
    const addresses = [DOM0_ADDRESS, ...guests.map((name) => GUEST_ADDRESSES[name])];
    const endpoints = addresses.flatMap((ip) => [SSH_PORT, EXPORTER_PORT].map((port) => ({ ip, port })));
    const kind = { scheduler, init, threads, cpus };
    const qemu = await startQemu({ image, folder, ...kind, endpoints, lifetimeSeconds, xenArguments });
    const lab = new Lab({ qemu, folder, key: image.key, guests, ...kind });
    try {
      const start = performance.now();
      const report = (what: string) => progress(`${what} after ${Math.round((performance.now() - start) / 1000)} s`);
      await lab.#answers(lab.dom0, DOM0_BOOT_MS);
      report('Dom0 answers');
      for (const name of guests) {
        await lab.create(name);
        report(`${name} is created`);
      }
      for (const machine of lab.guests.values()) await lab.#answers(machine, GUEST_BOOT_MS);
      report('all guests answer');
      return lab;
    } catch (error) {
      const end = lab.console().split('\n').slice(-30).join('\n');
      await lab[Symbol.asyncDispose]();
      throw new Error(`${(error as Error).message}; the end of the console:\n${end}`, { cause: error });
    }
  }

  get machines(): Machine[] {
    return [this.dom0, ...this.guests.values()];
  }

  guest(name: GuestName): Machine {
    const guest = this.guests.get(name);
    if (guest === undefined) throw new Error(`this lab was booted without ${name}`);
    return guest;
  }

  /** Creates a guest from its configuration file. It answers about half a minute later. */
  async create(name: GuestName): Promise<void> {
    await this.dom0.run(`xl create /etc/xen/${name}.cfg`, { timeoutMs: 180_000 });
  }

  /** Waits until a created or rebooted guest has booted. */
  async booted(name: GuestName): Promise<void> {
    await this.#answers(this.guest(name), GUEST_BOOT_MS);
  }

  /** Output of Xen and Dom0 on the serial line so far. */
  console(): string {
    const file = join(this.#traces.folder, CONSOLE_LOG);
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { qemu, folder } = this.#traces;
    await stopQemu(qemu.pid, folder);
    await rm(folder, { recursive: true, force: true });
  }

  /** Makes this lab visible to `Lab.running()` in other processes. */
  async publish(): Promise<void> {
    await writeFile(TRACES, JSON.stringify(this.#traces));
  }

  /** The published lab, if it still runs. */
  static running(): Lab | undefined {
    if (!existsSync(TRACES)) return undefined;
    const traces = JSON.parse(readFileSync(TRACES, 'utf8')) as Traces;
    return isQemuOf(traces.qemu.pid, traces.folder) ? new Lab(traces) : undefined;
  }

  async #answers(machine: Machine, timeoutMs: number): Promise<void> {
    const { qemu, folder } = this.#traces;
    await until(
      `${machine.name} to answer`,
      () => {
        if (!isQemuOf(qemu.pid, folder)) throw new Error('QEMU has ended');
        if (/Panic on CPU|Hardware Dom0 crashed/.test(this.console())) throw new Error('Xen or Dom0 has crashed');
        return machine.succeeds('test -e /run/lab/ready');
      },
      { timeoutMs, intervalMs: 500 },
    );
  }
}

const TRACES = join(CACHE, 'running.json');
