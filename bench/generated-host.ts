import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hostFlags } from '../tools/lib/copied-host.ts';

/** Size of a host. */
export interface HostSize {
  guests: number;
  vifs: number;
  queues: number;
}

const vcpus = 2;
const cpus = 8;

const each = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** A counter value that differs between series and grows with `moment`. */
const reading = (seed: number, moment: number): number =>
  1000 + ((seed * 7919) % 100_000) + moment * (10 + (seed % 90));

const uuid = (domid: number): string => `00000000-0000-4000-8000-${domid.toString(16).padStart(12, '0')}`;

interface Vif {
  domid: number;
  device: number;
  name: string;
  ifindex: number;
}

const vifsOf = ({ guests, vifs }: HostSize): Vif[] =>
  each(guests * vifs, (i) => {
    const [domid, device] = [1 + Math.floor(i / vifs), i % vifs];
    return { domid, device, name: `vif${domid}.${device}`, ifindex: 10 + i };
  });

const ioRing = (queue: number, consumed: number, dealloc: number): string => `Queue ${queue}
TX: nr_ents 256
req prod ${consumed} (0) cons ${consumed} (0) event ${consumed + 1} (1)
rsp prod ${consumed} (base) pvt ${consumed} (0) event ${consumed + 1} (1)
pending prod ${consumed + 256} pending cons ${consumed} nr_pending_reqs 0
dealloc prod ${dealloc} dealloc cons ${dealloc} dealloc_queue 0

RX: nr_ents 256
req prod ${consumed + 254} (254) cons ${consumed} (0) event 1 (-4380)
rsp prod ${consumed} (base) pvt ${consumed} (0) event ${consumed - 1} (-1)

NAPI state: 10 NAPI weight: 64 TX queue len 0
Credit timer_pending: 0, credit: 18446744073709551615, usec: 0
remaining: 18446744073709245390, expires: 0, now: 4295063299

Rx internal queue: len 0 max 524288 pkts 0 running
`;

const netDev = (vifs: readonly Vif[], moment: number): string =>
  [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    ...['lo', 'eth0', 'xenbr0', ...vifs.map(({ name }) => name)].map((name, i) => {
      const packets = reading(i, moment);
      return `${name}: ${packets * 71} ${packets} 0 0 0 0 0 0 ${packets * 107} ${packets} 0 0 0 0 0 0`;
    }),
    '',
  ].join('\n');

const interrupts = (vifs: readonly Vif[], queues: number, moment: number): string => {
  const row = (irq: number, count: number, chip: string, action: string): string =>
    `${String(irq).padStart(4)}: ${each(cpus, (cpu) => String(cpu === irq % cpus ? count : 0).padStart(10)).join(' ')}  ${chip}  ${action}`;
  const rows = vifs.flatMap(({ name }, i) =>
    each(queues * 2, (j) => {
      const irq = 100 + i * queues * 2 + j;
      const action = `${name}-q${j >> 1}-${j % 2 ? 'rx' : 'tx'}`;
      return row(irq, reading(irq, moment), 'xen-dyn-lateeoi    -event   ', action);
    }),
  );
  const timers = each(cpus, (cpu) => row(24 + cpu, reading(cpu, moment), 'xen-percpu    -virq    ', `timer${cpu}`));
  const header = `      ${each(cpus, (cpu) => `CPU${cpu}`.padEnd(11)).join('')}`;
  return [header, ...timers, ...rows, ''].join('\n');
};

const xlList = ({ guests }: HostSize): string => {
  const row = (domid: number): string =>
    `${(domid === 0 ? 'Domain-0' : `guest${domid}`).padEnd(40)} ${String(domid).padStart(5)}  1024     ${vcpus}     -b----   ${(100 + domid).toFixed(1).padStart(8)} ${domid === 0 ? '00000000-0000-0000-0000-000000000000' : uuid(domid)}        -                -`;
  const header = `${'Name'.padEnd(40)}    ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label`;
  return [header, ...each(guests + 1, row), ''].join('\n');
};

const xlVcpuList = ({ guests }: HostSize): string => {
  const row = (domid: number, vcpu: number): string =>
    `${(domid === 0 ? 'Domain-0' : `guest${domid}`).padEnd(32)} ${String(domid).padStart(5)} ${String(vcpu).padStart(5)} ${String(vcpu).padStart(4)}   -b-  ${(50 + domid).toFixed(1).padStart(8)}  all / all`;
  const rows = each(guests + 1, (domid) => each(vcpus, (vcpu) => row(domid, vcpu))).flat();
  return [
    'Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)',
    ...rows,
    '',
  ].join('\n');
};

const xlListLong = ({ guests, vifs }: HostSize): string =>
  JSON.stringify(
    each(guests + 1, (domid) => ({
      domid,
      config: {
        c_info: { type: domid % 2 ? 'pv' : 'pvh', name: domid === 0 ? 'Domain-0' : `guest${domid}`, uuid: uuid(domid) },
        b_info: { max_memkb: 1 << 20 },
        nics: domid === 0 ? [] : each(vifs, (devid) => ({ devid, mac: `00:16:3e:00:00:${devid}0`, bridge: 'xenbr0' })),
      },
    })),
  );

const xlSched = ({ guests }: HostSize): string =>
  [
    'Cpupool Pool-0: ratelimit=1000us',
    'Name                                ID Weight  Cap',
    ...each(guests + 1, (domid) => `${`guest${domid}`.padEnd(33)} ${String(domid).padStart(4)}    256    0`),
    '',
  ].join('\n');

const xlInfo =
  'nr_cpus                : 8\ntotal_memory           : 262144\nfree_memory            : 1024\n' +
  'xen_version            : 4.17.7\nxen_scheduler          : credit2\n';

/** A script that prints files named after its arguments, in place of xl. */
const printer = `#!/bin/sh
exec cat "\${0%/*}/../output/\${0##*/} $*"
`;

/** Files of a Dom0 of this size. `advance` writes those that change. */
export class GeneratedHost {
  readonly root: string;
  readonly #size: HostSize;
  readonly #vifs: Vif[];

  constructor(root: string, size: HostSize) {
    this.root = root;
    this.#size = size;
    this.#vifs = vifsOf(size);
    this.#writeStatic();
    this.advance(0);
  }

  #write(name: string, content: string): void {
    const path = join(this.root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  #link(name: string, target: string): void {
    const path = join(this.root, name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }

  #writeStatic(): void {
    const { guests } = this.#size;
    this.#write('sys/hypervisor/type', 'xen\n');
    this.#write('sys/hypervisor/uuid', '00000000-0000-0000-0000-000000000000\n');
    this.#write('sys/hypervisor/guest_type', 'PV\n');
    this.#write('proc/xen/capabilities', 'control_d\n');
    this.#write(
      'proc/net/tcp',
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n',
    );
    this.#write('sys/class/net/xenbr0/ifindex', '3\n');
    for (const { domid, device, name, ifindex } of this.#vifs) {
      const backend = `sys/bus/xen-backend/devices/vif-${domid}-${device}`;
      this.#write(`${backend}/net/${name}/ifindex`, `${ifindex}\n`);
      this.#write(`${backend}/xenbus/event_channels`, `${this.#size.queues * 2}\n`);
      this.#write(`sys/class/net/${name}/ifindex`, `${ifindex}\n`);
      this.#write(`sys/class/net/${name}/carrier`, '1\n');
      this.#link(`sys/class/net/${name}/master`, '../xenbr0');
      for (const queue of each(this.#size.queues, String)) {
        mkdirSync(join(this.root, `sys/class/net/${name}/queues/tx-${queue}`), { recursive: true });
        mkdirSync(join(this.root, `sys/class/net/${name}/queues/rx-${queue}`), { recursive: true });
      }
    }
    for (const domid of each(guests, (i) => i + 1)) {
      this.#write(`sys/bus/xen-backend/devices/vbd-${domid}-51712/xenbus/event_channels`, '1\n');
    }
    for (const [pid, name] of this.#threads().entries()) {
      this.#write(
        `proc/${1000 + pid}/stat`,
        `${1000 + pid} (${name}) S 2 0 0 0 -1 2129984 0 0 0 0 0 191 0 0 20 0 1 0\n`,
      );
    }
    const outputs = {
      'xl list -v': xlList(this.#size),
      'xl list -l': xlListLong(this.#size),
      'xl vcpu-list': xlVcpuList(this.#size),
      'xl info': xlInfo,
      'xl cpupool-list':
        'Name               CPUs   Sched     Active   Domain count\nPool-0               8   credit2       y        201\n',
      'xl sched-credit2': xlSched(this.#size),
      'xl pci-assignable-list': '',
      ...Object.fromEntries(
        each(guests + 1, (domid) => [
          `xen-diag gnttab_query_size ${domid}`,
          `domid=${domid}: nr_frames=3, max_nr_frames=64\n`,
        ]),
      ),
    };
    for (const [name, output] of Object.entries(outputs)) this.#write(`output/${name}`, output);
    for (const program of ['xl', 'xen-diag']) {
      mkdirSync(join(this.root, 'bin'), { recursive: true });
      writeFileSync(join(this.root, 'bin', program), printer, { mode: 0o755 });
    }
  }

  #threads(): string[] {
    return this.#vifs.flatMap(({ name }) =>
      each(this.#size.queues, (queue) => [`${name}-q${queue}-guest-rx`, `${name}-q${queue}-dealloc`]).flat(),
    );
  }

  /** Writes the counters for this moment. */
  advance(moment: number): void {
    const { guests, queues } = this.#size;
    this.#write('proc/net/dev', netDev(this.#vifs, moment));
    this.#write('proc/interrupts', interrupts(this.#vifs, queues, moment));
    for (const [i, { domid, device, name }] of this.#vifs.entries()) {
      for (const queue of each(queues, Number)) {
        const file = `sys/kernel/debug/xen-netback/${name}/io_ring_q${queue}`;
        // Every fourth queue sends more than headers: only these have pages to return.
        const dealloc = queue % 4 === 0 ? moment : 0;
        this.#write(file, ioRing(queue, reading(i * queues + queue, moment), dealloc));
      }
      this.#writeEvents(`sys/bus/xen-backend/devices/vif-${domid}-${device}`, i, moment);
    }
    for (const domid of each(guests, (i) => i + 1)) {
      const vbd = `sys/bus/xen-backend/devices/vbd-${domid}-51712`;
      this.#writeEvents(vbd, domid, moment);
      for (const file of ['rd_req', 'wr_req', 'f_req', 'ds_req', 'rd_sect', 'wr_sect', 'oo_req']) {
        this.#write(`${vbd}/statistics/${file}`, `${reading(domid, moment)}\n`);
      }
    }
    for (const pid of this.#threads().keys()) {
      this.#write(`proc/${1000 + pid}/schedstat`, `${reading(pid, moment)}000 ${reading(pid + 7, moment)}000 4000\n`);
    }
  }

  #writeEvents(device: string, seed: number, moment: number): void {
    this.#write(`${device}/xenbus/events`, `${reading(seed, moment)}\n`);
    this.#write(`${device}/xenbus/spurious_events`, `${seed}\n`);
    this.#write(`${device}/xenbus/jiffies_eoi_delayed`, '0\n');
  }

  /** Flags with which the daemon reads this host. */
  get flags(): string[] {
    return hostFlags(this.root);
  }
}
