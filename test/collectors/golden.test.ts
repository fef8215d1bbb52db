import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { collectText, createCollector } from '../support/collect.ts';
import { parseExposition } from '../support/exposition.ts';
import { guestHost, guests, type Guest } from '../support/guests.ts';

/** Everything that the collectors give on a guest, after two samples of the accept queues half a second apart. */
const expositionOf = async (guest: Guest): Promise<string> => {
  const host = guestHost(guest);
  const pages: string[] = [];
  for (const definition of registry) {
    const collector = createCollector(definition, host);
    if (collector.applies() !== true) continue;
    collector.sampler?.sample();
    host.clock.advance(0.5);
    collector.sampler?.sample();
    pages.push(await collectText(collector, host));
  }
  return pages.join('\n');
};

describe('the golden expositions: a diff shows users what a change did to them', () => {
  test.each(guests)('%s', async (guest) => {
    const file = resolve(import.meta.dirname, '../fixtures/golden', `${guest}.prom`);
    await expect(await expositionOf(guest)).toMatchFileSnapshot(file);
  });
});

describe('values checked by hand against what the tools of the same capture printed', () => {
  test('pv-netlink-storm: port 8080 as ss -Hltnm shows it, drops and SYN queue as the reply holds them, the rest as in /proc', async () => {
    const page = parseExposition(await expositionOf('pv-netlink-storm'));
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
      fullSeconds: 0.5,
      connectionSeconds: 4.5,
      fullSamples: 2,
      lessThanFullSamples: 0,
      passiveOpens: 7776,
      cpu0Steal: 164.69,
      q0rx: 11697,
    });
  });

  test('pv-storm: rx_queue of /proc/net/tcp is 00000009; limits are absent, not zero; events of CPU 0 add up', async () => {
    const page = parseExposition(await expositionOf('pv-storm'));
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
    const pvh = parseExposition(await expositionOf('pvh-storm'));
    const hvm = parseExposition(await expositionOf('hvm-idle'));
    expect(pvh.value('xen_cpu_callbacks_total', { cpu: '0' })).toBe(35666);
    expect(hvm.value('xen_cpu_callbacks_total', { cpu: '0' })).toBe(3684);
    expect(hvm.value('xen_guest_info', { type: 'hvm' })).toBe(1);
    expect(hvm.value('xen_netfront_interrupts_total', { queue: '0', ring: 'rx' })).toBe(56);
  });
});
