import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../tools/lib/until.ts';
import { metricsOf } from '../harness/exporter.ts';
import { readDom0, readGuest, type Dom0Reading, type GuestReading } from '../harness/host-tools.ts';
import { EXPORTER_PORT, SSH_PORT, type GuestName, type Lab } from '../harness/lab.ts';
import { expectBetween, expectEqual, Snapshot, type Values } from '../harness/snapshot.ts';
import type { Stage } from '../harness/stage.ts';

const MEBIBYTE = 2 ** 20;
const QDISC_LIMIT = 20;

/** Gives a guest unusual scheduler parameters. The exporter reads them at its start, and every few minutes. */
export async function setSchedulerParameters({ dom0, scheduler }: Lab): Promise<void> {
  await dom0.run(`xl sched-${scheduler} -d pvh1 -w 512 -c 90`);
  await dom0.run(`xl sched-${scheduler} -s ${scheduler === 'credit' ? '-t 25' : ''} -r 2000`);
}

interface LabReading {
  dom0: Dom0Reading;
  guests: ReadonlyMap<GuestName, GuestReading>;
}

async function readLab({ dom0, guests, scheduler }: Lab): Promise<LabReading> {
  const [ofDom0, ...ofGuests] = await Promise.all([
    readDom0(dom0, scheduler),
    ...[...guests].map(async ([name, guest]) => [name, await readGuest(guest)] as const),
  ]);
  return { dom0: ofDom0, guests: new Map(ofGuests) };
}

/** Compares the exporters' values with those of the machines' own tools at the same moment. */
export function describeReadings(stage: () => Stage): void {
  let reading: { before: LabReading; scraped: Snapshot; after: LabReading };
  beforeAll(async () => {
    await fillAcceptQueue(stage().lab);
    reading = await stage().sandwich(() => readLab(stage().lab));
  });

  describe('what Dom0’s exporter says is what its tools say', () => {
    const of = (metric: string, ...labels: string[]) => reading.scraped.of('dom0', metric, labels);
    const between = (name: keyof Dom0Reading, values: Values) =>
      expectBetween(name, reading.before.dom0[name], values, reading.after.dom0[name]);
    const equal = (name: keyof Dom0Reading, values: Values) => expectEqual(name, reading.before.dom0[name], values);

    test('CPU seconds (xl list, xl vcpu-list), memory (xl list)', () => {
      between('domainSeconds', of('xen_domain_cpu_seconds_total', 'domain'));
      between('vcpuSeconds', of('xen_domain_vcpu_cpu_seconds_total', 'domain', 'vcpu'));
      equal('memory', scaled(of('xen_domain_memory_bytes', 'domain'), 1 / MEBIBYTE));
    });

    test('parameters of the scheduler (xl sched-*)', () => {
      const { weights, caps, parameters } = reading.before.dom0;
      equal('weights', of('xen_domain_scheduler_weight', 'domain'));
      expect(weights.get('pvh1')).toBe(512);
      equal('caps', scaled(of('xen_domain_scheduler_cap_cpus', 'domain'), 100));
      expect(caps).toEqual(new Map([['pvh1', 90]]));
      const scraped = new Map<string, number>();
      for (const [name, metric] of [
        ['tslice', 'timeslice'],
        ['ratelimit', 'ratelimit'],
        ['migration-delay', 'migration_delay'],
      ] as const) {
        for (const value of of(`xen_scheduler_${metric}_seconds`, 'pool').values()) scraped.set(name, value);
      }
      equal('parameters', scraped);
      expect(parameters.get('ratelimit')).toBe(0.002);
    });

    test('rings (debugfs io_ring_q*)', () => {
      between('consumedSlots', of('xen_netback_ring_consumed_slots_total', 'domain', 'vif', 'ring'));
      equal('ringSlots', of('xen_netback_ring_slots', 'domain', 'vif'));
      between('rxFreeSlots', of('xen_netback_rx_free_slots', 'domain', 'vif'));
      equal('guestQueueLimit', of('xen_netback_guest_queue_limit_bytes', 'domain', 'vif'));
    });

    test('traffic and drops of vifs (ip -s link), qdiscs (tc -s qdisc)', () => {
      between('vifReceivedPackets', of('xen_vif_receive_packets_total', 'domain', 'vif'));
      between('vifReceivedBytes', of('xen_vif_receive_bytes_total', 'domain', 'vif'));
      between('vifTransmittedPackets', of('xen_vif_transmit_packets_total', 'domain', 'vif'));
      between('vifTransmittedBytes', of('xen_vif_transmit_bytes_total', 'domain', 'vif'));
      between('vifDropped', of('xen_vif_receive_dropped_packets_total', 'domain', 'vif', 'reason'));
      between('qdiscDrops', of('xen_vif_qdisc_drops_total', 'domain', 'vif'));
    });

    test('events (sysfs, /proc/interrupts)', () => {
      between('events', of('xen_backend_events_total', 'domain', 'class', 'device'));
      between('spuriousEvents', of('xen_backend_spurious_events_total', 'domain', 'class', 'device'));
      equal('eventChannels', of('xen_backend_event_channels', 'domain', 'class', 'device'));
      between('interrupts', of('xen_netback_interrupts_total', 'domain', 'vif', 'ring'));
    });
  });

  describe('what a guest’s exporter says is what its tools say', () => {
    const ofGuest = (guest: GuestName, metric: string, ...labels: string[]) =>
      reading.scraped.of(guest, metric, labels);
    const between = (guest: GuestName, name: keyof GuestReading, values: Values) =>
      expectBetween(
        `${name} of ${guest}`,
        reading.before.guests.get(guest)![name],
        values,
        reading.after.guests.get(guest)![name],
      );

    test('accept queues (ss), among them one that nobody empties', () => {
      for (const [guest, { queueLengths, queueLimits }] of reading.before.guests) {
        const lengths = ofGuest(guest, 'xen_listener_accept_queue_length', 'port', 'family');
        // A guest may have only queues of the readings themselves. domu1 has another.
        expect(Object.fromEntries(atRest(lengths)), 'Recv-Q').toEqual(Object.fromEntries(atRest(queueLengths)));
        expectEqual('Send-Q', queueLimits, ofGuest(guest, 'xen_listener_accept_queue_limit', 'port', 'family'));
      }
      expect(reading.before.guests.get('domu1')!.queueLengths.get('9000 ipv4')).toBe(2);
    });

    test('interrupts, packets, connections (/proc, ip -s link)', () => {
      for (const guest of reading.before.guests.keys()) {
        between(guest, 'interrupts', ofGuest(guest, 'xen_netfront_interrupts_total', 'vif', 'queue', 'ring'));
        between(guest, 'receivedPackets', ofGuest(guest, 'xen_netfront_receive_packets_total', 'vif'));
        between(guest, 'transmittedPackets', ofGuest(guest, 'xen_netfront_transmit_packets_total', 'vif'));
        between(guest, 'passiveOpens', ofGuest(guest, 'xen_tcp_passive_opens_total'));
      }
    });

    test('idle and stolen time (/proc/stat)', () => {
      for (const guest of reading.before.guests.keys()) {
        const all = ofGuest(guest, 'xen_cpu_seconds_total', 'cpu', 'mode');
        between(guest, 'cpuSeconds', new Map([...all].filter(([key]) => /idle|steal/.test(key))));
      }
    });
  });

  test('uuid joins what each guest says of itself with what Dom0 says of it', async () => {
    const names = [...stage().lab.guests.keys()].map((name) => [name, name]);
    const joined = await stage().series(
      'xen_guest_info{role="guest"} * on (uuid) group_left (domain) xen_domain_info{machine="dom0"}',
      names.length,
    );
    expect(joined.map(({ machine, domain }) => [machine, domain]).sort()).toEqual(names.sort());
    await stage().series('xen_guest_info{role="dom0"} == 1', 1);
  });

  test('every collector that applies succeeds, everywhere', async () => {
    const failing = async () =>
      (await stage().prometheus.query('xen_exporter_collector_success == 0')).map(
        ({ metric }) => `${metric['machine']} ${metric['collector']}`,
      );
    // A collector may still wait for its first run. Longer failures are reported below.
    await until('every collector to succeed', async () => (await failing()).length === 0, {
      timeoutMs: 120_000,
      intervalMs: 1000,
    }).catch(() => {});
    expect(await failing()).toEqual([]);
  });

  test('a paused guest: what is sent to it waits in netback, then in the qdisc, which drops, and expires', async () => {
    const { lab } = stage();
    const { dom0 } = lab;
    const read = () => readDom0(dom0, lab.scheduler);
    await dom0.run('xl pause pvh1');
    try {
      await dom0.run(flood(lab.guest('pvh1').ip, 'vif3.0', '00:16:3e:00:03:01'));
      // Netback drops packets after ten seconds, too soon to wait for Prometheus, but new ones keep arriving.
      const { before, scraped, after } = await until(
        'netback and the qdisc to be full',
        async () => {
          const [first, page, last] = [await read(), await metricsOf(dom0), await read()];
          const scraped = Snapshot.ofPage('dom0', page);
          const pageOf = (metric: string) => scraped.of('dom0', metric, ['domain', 'vif']).get('pvh1 0')!;
          // Every ten seconds netback empties its queue and refills it from the qdisc. All three readings must be from
          // a moment when it is full.
          const shares = [
            ...[first, last].map((of) => of.guestQueueBytes.get('pvh1 0')! / of.guestQueueLimit.get('pvh1 0')!),
            pageOf('xen_netback_guest_queue_bytes') / pageOf('xen_netback_guest_queue_limit_bytes'),
          ];
          const isFull =
            shares.every((share) => share > 0.9) &&
            [first, last].every(({ qdiscBacklog }) => qdiscBacklog.get('pvh1 0') === QDISC_LIMIT);
          return isFull && { before: first, scraped, after: last };
        },
        { timeoutMs: 120_000 },
      );
      const of = (metric: string) => scraped.of('dom0', metric, ['domain', 'vif']);
      expectBetween('qdiscBacklog', before.qdiscBacklog, of('xen_vif_qdisc_backlog_packets'), after.qdiscBacklog);
      expectBetween('qdiscDrops', before.qdiscDrops, of('xen_vif_qdisc_drops_total'), after.qdiscDrops);
      expect(before.qdiscDrops.get('pvh1 0')).toBeGreaterThan(0);
      await until('packets to expire', async () => ((await read()).vifDropped.get('pvh1 0 expired') ?? 0) > 0, {
        timeoutMs: 60_000,
        intervalMs: 1000,
      });
    } finally {
      await dom0.run(`kill $(cat /run/lab/flood.pid); xl unpause pvh1
        ip neigh del 10.0.2.103 dev xenbr0; tc qdisc del dev vif3.0 root`);
    }
    await lab.booted('pvh1');
    const { before, scraped, after } = await stage().sandwich(read);
    const dropped = scraped.of('dom0', 'xen_vif_receive_dropped_packets_total', ['domain', 'vif', 'reason']);
    expectBetween('vifDropped', before.vifDropped, dropped, after.vifDropped);
  });
}

const scaled = (values: Values, factor: number): Values =>
  new Map([...values].map(([key, value]) => [key, Math.round(value * factor * 1e6) / 1e6]));

/** Lengths of queues, without those of the readings' own connections, which may show up. */
const atRest = (lengths: Values): Values =>
  new Map([...lengths].filter(([key]) => ![EXPORTER_PORT, SSH_PORT].some((port) => key.startsWith(`${port} `))));

/** Leaves two connections in the queue of a server in domu1, which has taken the first and rests. */
async function fillAcceptQueue(lab: Lab): Promise<void> {
  const server = lab.guest('domu1');
  // Left from an earlier run on the same lab.
  await server.run("pkill -f '[s]low-server 9000'; :");
  await server.run('setsid timeout 600 /lab/slow-server 9000 3 3600000 </dev/null >/dev/null 2>&1 &');
  await lab.dom0.run(`until nc -z ${server.ip} 9000; do :; done
    for _ in 1 2; do setsid timeout 600 nc -d ${server.ip} 9000 </dev/null >/dev/null 2>&1 & done`);
  const length = async () => (await readGuest(server)).queueLengths.get('9000 ipv4');
  await until('two connections to wait', async () => (await length()) === 2, { timeoutMs: 60_000, intervalMs: 500 });
}

/**
 * A shell command that keeps sending more to a paused guest than netback and a short qdisc hold, for at most two
 * minutes.
 */
function flood(ip: string, vif: string, mac: string): string {
  const send = [
    'import socket, time',
    's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
    // SO_SNDBUFFORCE: waiting packets are charged to the socket.
    's.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)',
    'while True:',
    `  for _ in range(100): s.sendto(bytes(1400), ("${ip}", 9))`,
    '  time.sleep(0.1)',
  ].join('\n');
  return `ip neigh replace ${ip} lladdr ${mac} dev xenbr0 nud permanent
    tc qdisc replace dev ${vif} root pfifo limit ${QDISC_LIMIT}
    setsid timeout 120 python3 -c '${send}' </dev/null >/dev/null 2>&1 & echo $! >/run/lab/flood.pid`;
}
