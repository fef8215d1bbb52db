import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { collectText, createCollector, runBackground } from '../../tools/lib/collect.ts';
import type { copiedHost } from '../../tools/lib/copied-host.ts';
import { parseExposition, type Exposition } from '../../tools/lib/exposition.ts';
import { guestHost, guests, type Guest } from '../../tools/lib/guests.ts';
import { hostOf, hosts, type HostName } from '../../tools/lib/hosts.ts';
import { toolstackOf } from '../../tools/lib/sources.ts';

/**
 * Everything that the collectors give on a machine, after a round of background work and two samples that stand for a
 * second each.
 */
const expositionOf = async (machine: ReturnType<typeof copiedHost>): Promise<string> => {
  const toolstack = toolstackOf(machine);
  const collectors = registry
    .map((definition) => createCollector(definition, machine, {}, { toolstack }))
    .filter((collector) => collector.availability() === true);
  for (const { message } of await runBackground(collectors)) expect(message).toContain('no capture of');
  for (const { sampler } of collectors) sampler?.sample(1);
  machine.clock.advance(0.5);
  for (const { sampler } of collectors) sampler?.sample(1);
  const pages: string[] = [];
  for (const collector of collectors) pages.push(await collectText(collector, machine));
  return pages.filter((page) => page !== '').join('\n');
};

const onGuest = async (guest: Guest): Promise<Exposition> => parseExposition(await expositionOf(guestHost(guest)));
const onHost = async (host: HostName): Promise<Exposition> => parseExposition(await expositionOf(hostOf(host)));

const howToAccept = `The exposition differs from the one in test/fixtures/golden.
If the change is intended, describe it in CHANGELOG.md and accept it with
    npx vitest run --project unit golden interface --update
`;

describe('the golden expositions: a diff shows users what a change did to them', () => {
  const golden = (name: string): string => resolve(import.meta.dirname, '../fixtures/golden', `${name}.prom`);

  test.each(guests)('%s', async (guest) => {
    await expect(await expositionOf(guestHost(guest)), howToAccept).toMatchFileSnapshot(golden(guest));
  });

  test.each(hosts)('%s', async (host) => {
    await expect(await expositionOf(hostOf(host)), howToAccept).toMatchFileSnapshot(golden(host));
  });
});

describe('values checked by hand against what the tools of the same capture printed', () => {
  test('pv-netlink-storm: port 8080 as ss -Hltnm shows it, drops and SYN queue as the reply holds them, the rest as in /proc', async () => {
    const page = await onGuest('pv-netlink-storm');
    const server = { address: '0.0.0.0', port: '8080', family: 'ipv4' };
    expect({
      length: page.value('xen_listener_accept_queue_length', server),
      limit: page.value('xen_listener_accept_queue_limit', server),
      fill: page.value('xen_listener_accept_queue_max_fill_ratio', server),
      syn: page.value('xen_listener_syn_queue_length', server),
      drops: page.value('xen_listener_drops_total', server),
      fullSeconds: page.value('xen_listener_accept_queue_full_seconds_total', server),
      connectionSeconds: page.value('xen_listener_accept_queue_connection_seconds_total', server),
      fullSamples: page.value('xen_listener_accept_queue_fill_ratio_bucket', { ...server, le: '1.0' }),
      lessThanFullSamples: page.value('xen_listener_accept_queue_fill_ratio_bucket', { ...server, le: '0.9' }),
      passiveOpens: page.value('xen_tcp_passive_opens_total'),
      cpu0Steal: page.value('xen_cpu_seconds_total', { cpu: '0', mode: 'steal' }),
      q0rx: page.value('xen_netfront_interrupts_total', { vif: '0', queue: '0', ring: 'rx' }),
    }).toEqual({
      length: 9,
      limit: 8,
      fill: 1,
      syn: 6,
      drops: 29370,
      fullSeconds: 2,
      connectionSeconds: 18,
      fullSamples: 40,
      lessThanFullSamples: 0,
      passiveOpens: 7776,
      cpu0Steal: 164.69,
      q0rx: 11697,
    });
  });

  test('pv-storm: rx_queue of /proc/net/tcp is 00000009; limits are absent, not zero; events of CPU 0 add up', async () => {
    const page = await onGuest('pv-storm');
    expect(page.value('xen_listener_accept_queue_length', { port: '8080' })).toBe(9);
    expect(page.samples('xen_listener_accept_queue_limit')).toEqual([]);
    expect(page.samples('xen_listener_drops_total')).toEqual([]);
    expect(page.value('xen_guest_info', { type: 'pv', role: 'guest' })).toBe(1);
    const events = (source: string) => page.value('xen_cpu_events_total', { cpu: '0', source });
    expect([events('netfront'), events('timer'), events('ipi'), events('blkfront'), events('console')]).toEqual([
      2272 + 2436,
      46223,
      806 + 4885,
      155,
      22,
    ]);
    expect(page.value('xen_netfront_queues', { vif: '0' })).toBe(2);
    expect(page.value('xen_netfront_receive_packets_total', { vif: '0' })).toBe(11511);
  });

  test('pvh-storm and hvm-idle: only these have upcalls', async () => {
    const pvh = await onGuest('pvh-storm');
    const hvm = await onGuest('hvm-idle');
    expect(pvh.value('xen_cpu_callbacks_total', { cpu: '0' })).toBe(35666);
    expect(hvm.value('xen_cpu_callbacks_total', { cpu: '0' })).toBe(3684);
    expect(hvm.value('xen_guest_info', { type: 'hvm' })).toBe(1);
    expect(hvm.value('xen_netfront_interrupts_total', { queue: '0', ring: 'rx' })).toBe(56);
  });

  test('credit-storm: everything of domu1 that its Dom0 shows', async () => {
    const page = await onHost('credit-storm');
    const domain = { domain: 'domu1' };
    const vif = { ...domain, vif: '0' };
    const thread = (name: string) => page.value(`xen_netback_${name}_seconds_total`, { ...vif, thread: 'guest-rx' });
    const ring = (ring: string) => page.value('xen_netback_ring_consumed_slots_total', { ...vif, ring });
    const vbd = (name: string) => page.value(`xen_vbd_${name}_total`, { ...domain, device: '51712' });
    const backend = (name: string) => page.value(`xen_backend_${name}`, { ...domain, class: 'vif', device: '0' });

    // interrupts: vif1.0-q0-tx 1749, vif1.0-q1-tx 1608, vif1.0-q0-rx 1, vif1.0-q1-rx 1
    expect(page.value('xen_netback_interrupts_total', { ...vif, ring: 'tx' })).toBe(1749 + 1608);
    expect(page.value('xen_netback_interrupts_total', { ...vif, ring: 'rx' })).toBe(2);
    // vif, from /proc/net/dev: vif1.0 receives 399465 bytes in 5611 packets and transmits 769590 in 7206. tc: no
    // backlog, no drop
    expect(page.value('xen_vif_receive_packets_total', vif)).toBe(7206);
    expect(page.value('xen_vif_receive_bytes_total', vif)).toBe(769590);
    expect(page.value('xen_vif_transmit_packets_total', vif)).toBe(5611);
    expect(page.value('xen_vif_transmit_bytes_total', vif)).toBe(399465);
    expect(page.value('xen_vif_queues', vif)).toBe(2);
    expect(page.samples('xen_vif_info').find(({ labels }) => labels['domain'] === 'domu1')?.labels).toEqual({
      ...vif,
      domid: '1',
      mac: '00:16:3e:00:01:01',
      bridge: 'xenbr0',
    });
    // netback: cons of io_ring_q0 and q1, 254 and 253 free buffers; run and wait time of PIDs 400 to 403
    expect([ring('tx'), ring('rx')]).toEqual([4194 + 4002, 4381 + 4600]);
    expect(page.value('xen_netback_rx_free_slots', vif)).toBe(253);
    expect(thread('thread_cpu')).toBeCloseTo(2.027857714, 9);
    expect(thread('thread_runqueue_wait')).toBeCloseTo(3.272005846, 9);
    const cpu = 1.913878851 + 0.121578405 + 2.027857714 + 0.143920463;
    expect(page.value('xen_netback_cpu_seconds_total', vif)).toBeCloseTo(cpu, 9);
    // xenbus, vbd
    expect([backend('events_total'), backend('spurious_events_total'), backend('event_channels')]).toEqual([
      3711, 5, 4,
    ]);
    expect([vbd('read_requests'), vbd('read_bytes'), vbd('write_requests')]).toEqual([610, 67634 * 512, 0]);
    // domains: xl list -v prints `------` and 318.1, xl vcpu-list `---` with 163.9 and `r--` with 156.1, xl list -l
    // 524288 KiB
    expect(page.value('xen_domain_cpu_seconds_total', domain)).toBe(318.1);
    expect(page.value('xen_domain_vcpu_cpu_seconds_total', { ...domain, vcpu: '1' })).toBe(156.1);
    const seen = (state: string) => page.value('xen_domain_vcpu_observations_total', { ...domain, state });
    expect([seen('running'), seen('blocked'), seen('runnable')]).toEqual([1, 0, 1]);
    expect(page.value('xen_domain_memory_bytes', domain)).toBe(512 << 20);
    expect(page.value('xen_domain_memory_limit_bytes', domain)).toBe(524288 * 1024);
    // scheduler: `tslice=30ms ratelimit=1000us migration-delay=0us`, `domu1 1 256 0`
    const pool = { pool: 'Pool-0' };
    expect(page.value('xen_scheduler_timeslice_seconds', pool)).toBe(0.03);
    expect(page.value('xen_scheduler_ratelimit_seconds', pool)).toBe(0.001);
    expect(page.value('xen_domain_scheduler_weight', domain)).toBe(256);
    expect(page.samples('xen_domain_scheduler_cap_cpus')).toEqual([]);
    // host: nr_cpus 4, total_memory 5119, free_memory 1478
    expect(page.value('xen_host_cpus')).toBe(4);
    expect(page.value('xen_host_memory_bytes')).toBe(5119 * 2 ** 20);
    expect(page.value('xen_host_memory_free_bytes')).toBe(1478 * 2 ** 20);
    // uplink, passthrough: nothing lost, pciback not loaded
    expect(page.value('xen_uplink_receive_missed_total', { device: 'eth0' })).toBe(0);
    expect(page.value('xen_pci_assignable_devices')).toBe(0);
  });

  test('credit-netlink-storm: grant frames as xen-diag prints them', async () => {
    const page = await onHost('credit-netlink-storm');
    const domu1 = { domain: 'domu1' };
    // domid=1: nr_frames=3, max_nr_frames=64. Domains 2 and 3 were not captured
    expect(page.value('xen_domain_grant_frames', domu1)).toBe(3);
    expect(page.value('xen_domain_grant_frames_limit', domu1)).toBe(64);
    expect(page.samples('xen_domain_grant_frames').map(({ labels }) => labels['domain'])).toEqual([
      'Domain-0',
      'domu1',
    ]);
  });

  test('rtds-storm and credit2-storm: parameters of the scheduler that is there, and of no other', async () => {
    const rtds = await onHost('rtds-storm');
    expect(rtds.value('xen_domain_scheduler_period_seconds', { domain: 'domu2' })).toBe(0.01);
    expect(rtds.value('xen_domain_scheduler_budget_seconds', { domain: 'domu2' })).toBe(0.004);
    expect(rtds.value('xen_domain_scheduler_extratime', { domain: 'domu2' })).toBe(1);
    expect(rtds.samples('xen_domain_scheduler_weight')).toEqual([]);
    const credit2 = await onHost('credit2-storm');
    expect(credit2.value('xen_scheduler_ratelimit_seconds', { pool: 'Pool-0' })).toBe(0.001);
    expect(credit2.samples('xen_scheduler_timeslice_seconds')).toEqual([]);
    expect(credit2.value('xen_scheduler_info', { pool: 'Pool-0', scheduler: 'credit2' })).toBe(1);
  });
});

describe('a storm shows in what should show it: the same boot, idle and attacked', () => {
  const domu1 = { domain: 'domu1' };
  const vif = { ...domu1, vif: '0' };
  const shows: [string, Record<string, string>][] = [
    ['xen_netback_cpu_seconds_total', vif],
    ['xen_netback_thread_cpu_seconds_total', { ...vif, thread: 'guest-rx' }],
    ['xen_netback_thread_runqueue_wait_seconds_total', { ...vif, thread: 'guest-rx' }],
    ['xen_netback_ring_consumed_slots_total', { ...vif, ring: 'tx' }],
    ['xen_netback_ring_consumed_slots_total', { ...vif, ring: 'rx' }],
    ['xen_backend_events_total', { ...domu1, class: 'vif' }],
    ['xen_netback_interrupts_total', { ...vif, ring: 'tx' }],
    ['xen_vif_receive_packets_total', vif],
  ];

  describe.each([
    ['credit-idle', 'credit-storm'],
    ['credit2-idle', 'credit2-storm'],
  ] as const)('%s, %s', (idle, storm) => {
    test.each(shows)('%s grows tenfold', async (name, labels) => {
      const [before, after] = [await onHost(idle), await onHost(storm)].map((page) => page.value(name, labels)!);
      expect(after).toBeGreaterThan(10 * before!);
    });

    test('its neighbour without traffic does not show it', async () => {
      const neighbour = { domain: 'pvh1', vif: '0', ring: 'rx' };
      const slots = async (host: HostName) =>
        (await onHost(host)).value('xen_netback_ring_consumed_slots_total', neighbour)!;
      const grown = (await slots(storm)) - (await slots(idle));
      expect(grown).toBeLessThan(500);
    });

    test('the guest took CPU time', async () => {
      const cpu = async (host: HostName) => (await onHost(host)).value('xen_domain_cpu_seconds_total', domu1)!;
      expect((await cpu(storm)) - (await cpu(idle))).toBeGreaterThan(50);
    });

    test('vCPUs wait for the CPU that they share', async () => {
      const waiting = async (host: HostName) =>
        (await onHost(host))
          .samples('xen_domain_vcpu_observations_total')
          .filter(({ labels }) => labels['state'] === 'runnable')
          .reduce((sum, { value }) => sum + value, 0);
      expect(await waiting(storm)).toBeGreaterThan(await waiting(idle));
    });
  });

  test('pv-idle, pv-storm: the guest itself sees its accept queue full, connections dropped and its CPUs stolen', async () => {
    const [idle, storm] = [await onGuest('pv-idle'), await onGuest('pv-storm')];
    const queue = (page: Exposition) =>
      Math.max(...page.samples('xen_listener_accept_queue_length').map(({ value }) => value));
    expect([queue(idle), queue(storm)]).toEqual([0, 9]);
    const overflows = (page: Exposition) => page.value('xen_tcp_listen_overflows_total')!;
    expect([overflows(idle), overflows(storm) > 1000]).toEqual([0, true]);
    const steal = (page: Exposition) => page.value('xen_cpu_seconds_total', { cpu: '0', mode: 'steal' })!;
    expect(steal(storm) - steal(idle)).toBeGreaterThan(50);
  });
});
