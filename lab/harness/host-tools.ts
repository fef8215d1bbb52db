// Readings of the host's own tools, parsed as simply as possible, to avoid errors of the product's parsers.
import type { Machine } from './machine.ts';
import type { SchedulerName } from './qemu.ts';
import type { Values } from './snapshot.ts';

const MARK = '=====';
/** A vif in Dom0: its domid and index. */
const VIF = /^vif(\d+)\.(\d+)$/;

/** Runs commands in sequence over one connection. Returns the lines of each. */
async function outputs<Name extends string>(
  machine: Machine,
  commands: Record<Name, string>,
): Promise<Record<Name, string[]>> {
  const all = Object.entries<string>(commands);
  const text = await machine.run(all.map(([, command]) => `${command}; echo; echo ${MARK}`).join('; '));
  const parts = text.split(`${MARK}\n`);
  const lines = all.map(([name], index) => [name, (parts[index] ?? '').split('\n').filter((line) => line !== '')]);
  return Object.fromEntries(lines) as Record<Name, string[]>;
}

const fields = (line: string): string[] => line.trim().split(/\s+/);

/** Lines with file paths in front, as `grep . FILES` prints them. */
function* ofFiles(lines: readonly string[]): Generator<{ path: string[]; line: string }> {
  for (const each of lines) {
    const colon = each.indexOf(':');
    yield { path: each.slice(0, colon).split('/'), line: each.slice(colon + 1) };
  }
}

/** Adds the values of equal keys. */
function sums(entries: Iterable<readonly [key: string, value: number]>): Values {
  const values = new Map<string, number>();
  for (const [key, value] of entries) values.set(key, (values.get(key) ?? 0) + value);
  return values;
}

/** Key of a vif such as "domu1 0" by its name in Dom0 (vif1.0). */
type NameOfVif = (vif: string) => string;

export interface Dom0Reading {
  /** Seconds by domain and vCPU. */
  vcpuSeconds: Values;
  /** Seconds by domain. */
  domainSeconds: Values;
  /** MiB by domain. */
  memory: Values;
  weights: Values;
  /** In percent of one CPU, for domains with a cap. */
  caps: Values;
  /** `tslice` and `ratelimit` in seconds. */
  parameters: Values;
  /** By domain, vif and ring. */
  consumedSlots: Values;
  ringSlots: Values;
  rxFreeSlots: Values;
  guestQueueLimit: Values;
  guestQueueBytes: Values;
  vifReceivedPackets: Values;
  vifReceivedBytes: Values;
  vifTransmittedPackets: Values;
  vifTransmittedBytes: Values;
  /** By domain, vif and reason. */
  vifDropped: Values;
  qdiscBacklog: Values;
  qdiscDrops: Values;
  /** By domain, class and device. */
  events: Values;
  spuriousEvents: Values;
  eventChannels: Values;
  /** By domain, vif and ring. */
  interrupts: Values;
}

/** Readings of Dom0's tools about guests, in one connection. */
export async function readDom0(dom0: Machine, scheduler: SchedulerName): Promise<Dom0Reading> {
  const said = await outputs(dom0, {
    list: 'xl list',
    vcpus: 'xl vcpu-list',
    scheduler: `xl sched-${scheduler}`,
    parameters: `xl sched-${scheduler} -s`,
    links: 'ip -j -s link',
    qdiscs: 'tc -j -s qdisc',
    rings: 'grep . /sys/kernel/debug/xen-netback/*/io_ring_q*',
    events: 'grep . /sys/bus/xen-backend/devices/*/xenbus/*',
    interrupts: 'cat /proc/interrupts',
  });
  const domains = said.list.slice(1).map((line) => fields(line));
  const nameOf = new Map(domains.map(([name = '', domid = '']) => [domid, name]));
  const ownerOf = (domid: string): string => nameOf.get(domid) ?? `domid ${domid}`;
  const nameOfVif: NameOfVif = (vif) => {
    const [, domid = '', index] = VIF.exec(vif) ?? [];
    return `${ownerOf(domid)} ${index}`;
  };
  const shares = said.scheduler.filter((line) => !/^(Cpupool|Name)/.test(line)).map((line) => fields(line));
  const perVcpu = said.vcpus.slice(1).map((line) => fields(line));
  return {
    domainSeconds: new Map(domains.map(([name = '', , , , , seconds]) => [name, Number(seconds)])),
    memory: new Map(domains.map(([name = '', , mebibytes]) => [name, Number(mebibytes)])),
    vcpuSeconds: new Map(perVcpu.map(([name, , vcpu, , , seconds]) => [`${name} ${vcpu}`, Number(seconds)])),
    weights: new Map(shares.map(([name = '', , weight]) => [name, Number(weight)])),
    caps: new Map(shares.filter(([, , , cap]) => cap !== '0').map(([name = '', , , cap]) => [name, Number(cap)])),
    parameters: parametersOf(said.parameters[0]!),
    ...linksOf(said.links.join(''), nameOfVif),
    ...qdiscsOf(said.qdiscs.join(''), nameOfVif),
    ...ringsOf(said.rings, nameOfVif),
    ...eventsOf(said.events, ownerOf),
    interrupts: sums(
      interruptsOf(said.interrupts, /^(vif\d+\.\d+)-q\d+-([tr]x)$/, ([vif = '', ring]) => `${nameOfVif(vif)} ${ring}`),
    ),
  };
}

/** Parses a line such as `Cpupool Pool-0: tslice=30ms ratelimit=1000us migration-delay=0us`. */
function parametersOf(line: string): Values {
  const units: Record<string, number> = { ms: 1e-3, us: 1e-6 };
  return new Map(
    [...line.matchAll(/([\w-]+)=(\d+)(ms|us)/g)].map(([, name = '', number, unit = '']) => [
      name,
      Number(number) * units[unit]!,
    ]),
  );
}

function linksOf(json: string, nameOfVif: NameOfVif) {
  interface Direction {
    bytes: number;
    packets: number;
    dropped: number;
  }
  const links = (JSON.parse(json) as { ifname: string; stats64: { rx: Direction; tx: Direction } }[])
    .filter(({ ifname }) => VIF.test(ifname))
    .map(({ ifname, stats64 }) => ({ vif: nameOfVif(ifname), ...stats64 }));
  return {
    // Dom0 transmits what the guest receives.
    vifReceivedPackets: new Map(links.map(({ vif, tx }) => [vif, tx.packets])),
    vifReceivedBytes: new Map(links.map(({ vif, tx }) => [vif, tx.bytes])),
    vifTransmittedPackets: new Map(links.map(({ vif, rx }) => [vif, rx.packets])),
    vifTransmittedBytes: new Map(links.map(({ vif, rx }) => [vif, rx.bytes])),
    vifDropped: new Map(
      links.flatMap(({ vif, tx, rx }): [string, number][] => [
        [`${vif} refused`, tx.dropped],
        [`${vif} expired`, rx.dropped],
      ]),
    ),
  };
}

function qdiscsOf(json: string, nameOfVif: NameOfVif) {
  interface Qdisc {
    dev: string;
    root?: boolean;
    drops: number;
    qlen: number;
  }
  const roots = (JSON.parse(json) as Qdisc[]).filter(({ dev, root }) => root && VIF.test(dev));
  return {
    qdiscBacklog: new Map(roots.map(({ dev, qlen }) => [nameOfVif(dev), qlen])),
    qdiscDrops: new Map(roots.map(({ dev, drops }) => [nameOfVif(dev), drops])),
  };
}

function ringsOf(lines: readonly string[], nameOfVif: NameOfVif) {
  const consumed: [string, number][] = [];
  const slots: [string, number][] = [];
  const rxFree = new Map<string, number>();
  const queueBytes = new Map<string, number>();
  const queueLimit = new Map<string, number>();
  let ring = '';
  for (const { path, line } of ofFiles(lines)) {
    const vif = nameOfVif(path.at(-2)!);
    const [, whichRing, entries] = /^([TR]X): nr_ents (\d+)/.exec(line) ?? [];
    const [, produced, taken] = /^req prod (\d+) \(-?\d+\) cons (\d+)/.exec(line) ?? [];
    const [, bytes, limit] = /^Rx internal queue: len (\d+) max (\d+)/.exec(line) ?? [];
    if (whichRing !== undefined) {
      ring = whichRing.toLowerCase();
      slots.push([vif, Number(entries)]);
    }
    if (produced !== undefined) {
      consumed.push([`${vif} ${ring}`, Number(taken)]);
      // The worst queue counts.
      if (ring === 'rx') rxFree.set(vif, Math.min(rxFree.get(vif) ?? Infinity, Number(produced) - Number(taken)));
    }
    if (bytes !== undefined) {
      queueBytes.set(vif, Math.max(queueBytes.get(vif) ?? 0, Number(bytes)));
      queueLimit.set(vif, Number(limit));
    }
  }
  return {
    consumedSlots: sums(consumed),
    ringSlots: new Map(slots),
    rxFreeSlots: rxFree,
    guestQueueBytes: queueBytes,
    guestQueueLimit: queueLimit,
  };
}

function eventsOf(lines: readonly string[], ownerOf: (domid: string) => string) {
  const files: Record<string, Map<string, number>> = {
    events: new Map(),
    spurious_events: new Map(),
    event_channels: new Map(),
  };
  for (const { path, line } of ofFiles(lines)) {
    const [, kind, domid = '', device] = /^(vif|vbd)-(\d+)-(\d+)$/.exec(path.at(-3)!) ?? [];
    if (kind !== undefined) files[path.at(-1)!]?.set(`${ownerOf(domid)} ${kind} ${device}`, Number(line));
  }
  return {
    events: files['events']!,
    spuriousEvents: files['spurious_events']!,
    eventChannels: files['event_channels']!,
  };
}

/** Interrupts of all CPUs by name (last column). */
function* interruptsOf(
  lines: readonly string[],
  name: RegExp,
  keyOf: (groups: string[]) => string,
): Generator<[key: string, value: number]> {
  const cpus = fields(lines[0]!).length;
  for (const line of lines.slice(1)) {
    const columns = fields(line);
    const groups = name.exec(columns.at(-1)!);
    if (groups === null) continue;
    const counts = columns.slice(1, 1 + cpus).map(Number);
    yield [keyOf(groups.slice(1)), counts.reduce((sum, count) => sum + count, 0)];
  }
}

export interface GuestReading {
  /** By port and family. */
  queueLengths: Values;
  queueLimits: Values;
  /** By vif, queue and ring. */
  interrupts: Values;
  /** By vif. */
  receivedPackets: Values;
  transmittedPackets: Values;
  /** Seconds stolen from all vCPUs, and seconds of idling. */
  cpuSeconds: Values;
  passiveOpens: Values;
}

/** Readings of a guest's own tools. */
export async function readGuest(guest: Machine): Promise<GuestReading> {
  const said = await outputs(guest, {
    listeners: 'ss -Hltn',
    interrupts: 'cat /proc/interrupts',
    links: 'ip -j -s link show eth0',
    stat: 'cat /proc/stat',
    tcp: 'grep ^Tcp: /proc/net/snmp',
  });
  const listeners = said.listeners.map((line) => {
    const [, length, limit, local = ''] = fields(line);
    const port = local.slice(local.lastIndexOf(':') + 1);
    const family = local.startsWith('[') || local.startsWith('*') ? 'ipv6' : 'ipv4';
    return { key: `${port} ${family}`, length: Number(length), limit: Number(limit) };
  });
  const [link] = JSON.parse(said.links.join('')) as { stats64: Record<'rx' | 'tx', { packets: number }> }[];
  const perCpu = said.stat.filter((line) => /^cpu\d/.test(line)).map((line) => fields(line));
  const [names = [], values = []] = said.tcp.map((line) => fields(line));
  return {
    queueLengths: new Map(listeners.map(({ key, length }) => [key, length])),
    queueLimits: new Map(listeners.map(({ key, limit }) => [key, limit])),
    interrupts: sums(interruptsOf(said.interrupts, /^vif(\d+)-q(\d+)-([tr]x)$/, (groups) => groups.join(' '))),
    receivedPackets: new Map([['0', link!.stats64.rx.packets]]),
    transmittedPackets: new Map([['0', link!.stats64.tx.packets]]),
    cpuSeconds: new Map(
      perCpu.flatMap(([cpu = '', ...ticks]): [string, number][] => [
        [`${cpu.slice(3)} idle`, Number(ticks[3]) / 100],
        [`${cpu.slice(3)} steal`, Number(ticks[7]) / 100],
      ]),
    ),
    passiveOpens: new Map([['', Number(values[names.indexOf('PassiveOpens')])]]),
  };
}
