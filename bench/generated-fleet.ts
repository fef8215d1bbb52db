import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { project } from '../tools/lib/project.ts';

const cpuSecondsName = 'xen_cpu_seconds_total';
const cpuLabel = (labels: string): string => /\bcpu="[^"]*"/.exec(labels)![0];

interface Line {
  name: string;
  labels: string;
  value: number;
  isCounter: boolean;
}

/** A series as on a page, with its initial value and its growth per second. */
export interface Series {
  series: string;
  value: number;
  perSecond: number;
}

export interface FleetSize {
  hosts: number;
  guestsPerHost: number;
  /** Whether a metric is needed; pages contain no others. */
  used: (name: string) => boolean;
}

type Used = FleetSize['used'];

const linesOf = (page: string, used: Used): Line[] =>
  readFileSync(join(project, `test/fixtures/golden/${page}.prom`), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      return used(name) ? [{ name, labels, value: Number(value), isCounter: /_total$/.test(name) }] : [];
    });

/** Series that need netlink. The captured listeners come from /proc, which lacks them. */
const listenerLines = (listeners: readonly string[]): Line[] =>
  listeners.flatMap((labels) => [
    { name: 'xen_listener_accept_queue_limit', labels, value: 4096, isCounter: false },
    { name: 'xen_listener_accept_queue_full_seconds_total', labels, value: 0, isCounter: true },
    ...['0.0', '0.25', '0.5', '0.75', '0.9', '1.0', '+Inf'].map((le) => ({
      name: 'xen_listener_accept_queue_fill_ratio_bucket',
      labels: `${labels},le="${le}"`,
      value: 1000,
      isCounter: true,
    })),
    { name: 'xen_listener_accept_queue_fill_ratio_count', labels, value: 1000, isCounter: true },
  ]);

/** Captured series of a guest, its domain and its host. */
const captured = (state: 'idle' | 'storm', used: Used): { guest: Line[]; domain: Line[]; host: Line[] } => {
  const guest = linesOf(`pv-${state}`, used);
  const host = linesOf(`credit-${state}`, used);
  const ofDomain = (domain: string): Line[] => host.filter(({ labels }) => labels.includes(`domain="${domain}"`));
  const listeners = guest.filter(({ name }) => name === 'xen_listener_accept_queue_dequeued_total');
  return {
    guest: [
      // The captured guest lost CPU time while it booted. An idle guest loses none.
      ...guest.map((line) => (state === 'idle' && line.labels.includes('"steal"') ? { ...line, value: 1 } : line)),
      ...listenerLines(listeners.map(({ labels }) => labels)),
    ],
    domain: [
      ...ofDomain('domu1'),
      { name: 'xen_domain_grant_frames', labels: 'domain="domu1"', value: 10, isCounter: false },
      { name: 'xen_domain_grant_frames_limit', labels: 'domain="domu1"', value: 64, isCounter: false },
      {
        name: 'xen_backend_eoi_delay_seconds_total',
        labels: 'domain="domu1",class="vif",device="0"',
        value: 0,
        isCounter: true,
      },
    ],
    host: [...host.filter(({ labels }) => !labels.includes('domain="')), ...ofDomain('Domain-0')],
  };
};

/** One guest in a hundred suffers. */
const stateOf = (guest: number): 'idle' | 'storm' => (guest % 100 === 0 ? 'storm' : 'idle');

const collectors = (count: number): Line[] =>
  Array.from({ length: count }, (_, index) =>
    ['success', 'available'].map((what) => ({
      name: `xen_exporter_collector_${what}`,
      labels: `collector="c${index}"`,
      value: 1,
      isCounter: false,
    })),
  ).flat();

/** The series that Prometheus adds for each target. */
const up: Line = { name: 'up', labels: '', value: 1, isCounter: false };

const uuidOf = (host: number, guest: number): string =>
  `00000001-${String(host).padStart(4, '0')}-4000-8000-${String(guest).padStart(12, '0')}`;

/** Pages of hosts with their guests' series, and their targets' labels. Deterministic. */
export const generatedFleet = ({ hosts, guestsPerHost, used }: FleetSize): Series[][] => {
  const states = { idle: captured('idle', used), storm: captured('storm', used) };
  let seed = 1;
  const next = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;

  const seriesOf = (target: string, lines: readonly Line[], rename: (labels: string) => string): Series[] => {
    // All counters of a machine grow alike, to keep its ratios. But a CPU gains a second of time each second.
    const growth = next() / 600;
    const ofCpu = Map.groupBy(
      lines.filter(({ name }) => name === cpuSecondsName),
      ({ labels }) => cpuLabel(labels),
    );
    const growthOf = ({ name, labels }: Line): number =>
      name === cpuSecondsName ? 1 / ofCpu.get(cpuLabel(labels))!.reduce((sum, { value }) => sum + value, 0) : growth;
    return lines.map((line) => ({
      series: `${line.name}{${[target, rename(line.labels)].filter(Boolean).join(',')}}`,
      value: line.value,
      perSecond: line.isCounter ? line.value * growthOf(line) : 0,
    }));
  };

  const pageOf = (host: number): Series[] => {
    const guests = Array.from({ length: guestsPerHost }, (_, guest) => guest);
    const identified = (guest: number) => (labels: string) =>
      labels.replace('domu1', `guest${guest}`).replace(/uuid="[^"]*"/, `uuid="${uuidOf(host, guest)}"`);
    const dom0 = `job="xen",instance="dom0-${host}:28697",xen_role="host"`;
    return [
      ...seriesOf(dom0, [up, ...states.idle.host, ...collectors(17)], (labels) => labels),
      ...guests.flatMap((guest) =>
        seriesOf(dom0, states[stateOf(host * guestsPerHost + guest)].domain, identified(guest)),
      ),
      ...guests.flatMap((guest) =>
        seriesOf(
          `job="xen",instance="guest-${host}-${guest}:28697"`,
          [up, ...states[stateOf(host * guestsPerHost + guest)].guest, ...collectors(7)],
          identified(guest),
        ),
      ),
    ];
  };

  return Array.from({ length: hosts }, (_, host) => pageOf(host));
};
