import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { until } from '../../tools/lib/until.ts';
import { EXPORTER_PID_FILE, metricsOf, startExporter, stopExporter } from '../harness/exporter.ts';
import { failing } from '../harness/pages.ts';
import { decreases, metricsAbout, Recorder } from './recorder.ts';
import type { Stage } from '../harness/stage.ts';

/** Prometheus's default scrape timeout. */
const TIMEOUT_SECONDS = 10;
const STOPPED_SECONDS = 60;
/** Dom0 collectors that read only files and netlink. */
const FROM_FILES = [
  'guest',
  'listeners',
  'tcp',
  'cpu',
  'interrupts',
  'softnet',
  'uplink',
  'vif',
  'netback',
  'xenbus',
  'vbd',
];
const XENSTORED = '$(cat /run/xen/xenstored.pid)';

const domidOf = (page: Exposition, domain: string): string | undefined =>
  page.samples('xen_domain_info').find(({ labels }) => labels['domain'] === domain)?.labels['domid'];

/** Operations on guests, and failures of the toolstack, while Dom0 is scraped once a second. */
export function describeToolstackEvents(stage: () => Stage): void {
  describe('scraped once a second', () => {
    let recorder: Recorder;
    beforeAll(() => {
      recorder = new Recorder(stage().lab.dom0, { timeoutSeconds: TIMEOUT_SECONDS });
    });
    afterAll(() => recorder[Symbol.asyncDispose]());

    const run = (script: string) => stage().lab.dom0.run(script);
    const vif = (page: Exposition, metric: string, domain: string, index = '0') =>
      page.value(`xen_vif_${metric}`, { domain, vif: index });

    test('a guest that is destroyed has no series any more', async () => {
      expect(metricsAbout(await recorder.until('a page', () => true), 'domu2')).toContain('xen_netback_ring_slots');
      await run('xl destroy domu2');
      expect(metricsAbout(await recorder.refreshed(), 'domu2')).toEqual([]);
    });

    test('a guest that is created is named at the next refresh, and has everything once its driver is connected', async () => {
      await stage().lab.create('domu2');
      expect(metricsAbout(await recorder.refreshed(), 'domu2')).toContain('xen_domain_info');
      await stage().lab.booted('domu2');
      const everything = [
        'xen_domain_vcpu_cpu_seconds_total',
        'xen_vif_connected',
        'xen_netback_ring_slots',
        'xen_backend_events_total',
      ];
      await recorder.until('all about it', (page) => {
        const about = metricsAbout(page, 'domu2');
        return everything.every((metric) => about.includes(metric));
      });
    });

    test('a guest that is renamed goes by its new name, and only by that', async () => {
      for (const [from, to] of [
        ['pvh1', 'web server (old)'],
        ['web server (old)', 'pvh1'],
      ] as const) {
        const had = metricsAbout(await recorder.until('a page', () => true), from);
        await run(`xl rename '${from}' '${to}'`);
        const page = await recorder.refreshed();
        expect(metricsAbout(page, from)).toEqual([]);
        expect(metricsAbout(page, to)).toEqual(had);
      }
    });

    test('a guest that reboots has another domid and goes on', async () => {
      const before = await recorder.until('domu2', (page) => domidOf(page, 'domu2') !== undefined);
      const guest = stage().lab.guest('domu2');
      // The connection ends with it.
      await guest.run('setsid sh -c "reboot -f" </dev/null >/dev/null 2>&1 &').catch(() => {});
      const after = await recorder.until(
        'another domid',
        (page) => ![undefined, domidOf(before, 'domu2')].includes(domidOf(page, 'domu2')),
        120_000,
      );
      const seconds = (page: Exposition) => page.value('xen_domain_cpu_seconds_total', { domain: 'domu2' })!;
      expect(seconds(after)).toBeGreaterThanOrEqual(seconds(before));
      await stage().lab.booted('domu2');
    });

    test('a guest that is paused', async () => {
      const paused = (page: Exposition) => page.value('xen_domain_state', { domain: 'domu2', state: 'paused' });
      await run('xl pause domu2');
      expect(paused(await recorder.refreshed())).toBe(1);
      await run('xl unpause domu2');
      expect(paused(await recorder.refreshed())).toBe(0);
    });

    test('a vif that is plugged in, and out again', async () => {
      await run('xl network-attach domu1 mac=00:16:3e:00:01:02,bridge=xenbr0');
      await recorder.until('the second vif', (page) => vif(page, 'connected', 'domu1', '1') === 1);
      const guest = await metricsOf(stage().lab.guest('domu1'));
      expect(guest.value('xen_netfront_queues', { vif: '1' })).toBe(2);
      await run('xl network-detach domu1 1');
      await recorder.until('it to go', (page) => vif(page, 'connected', 'domu1', '1') === undefined);
      // This page has the samples since the last one; the next has none.
      const page = await recorder.until('a page', () => true);
      const left = [...page.families.keys()].filter((family) =>
        page.samples(family).some(({ labels }) => labels['domain'] === 'domu1' && labels['vif'] === '1'),
      );
      expect(left).toEqual([]);
    });

    test('a frontend that reconnects', async () => {
      const guest = stage().lab.guest('domu2');
      const before = await recorder.until('domu2', (page) => vif(page, 'connected', 'domu2') === 1);
      await guest.run(`setsid sh -c 'cd /sys/bus/xen/drivers/vif
        echo vif-0 >unbind
        until xenstore-exists data/reconnect; do sleep 0.2; done
        echo vif-0 >bind
        until ip addr add ${guest.ip}/24 dev eth0; do sleep 0.1; done
        ip link set eth0 up
        ip route add default via 10.0.2.2' </dev/null >/dev/null 2>&1 &`);
      await recorder.until('the connection to be cut', (page) => vif(page, 'connected', 'domu2') !== 1);
      // The guest has no network now, so it gets the command through xenstore.
      await run('xenstore-write /local/domain/$(xl domid domu2)/data/reconnect now');
      const slots = { domain: 'domu2', ring: 'rx' };
      const consumed = (page: Exposition) => page.value('xen_netback_ring_consumed_slots_total', slots);
      const after = await recorder.until(
        'it to be back',
        (page) => vif(page, 'connected', 'domu2') === 1 && consumed(page) !== undefined,
      );
      await stage().lab.booted('domu2');
      expect(consumed(after)).toBeGreaterThanOrEqual(consumed(before)!);
    });

    test(`xenstored that is stopped for ${STOPPED_SECONDS} s costs what xl tells, and nothing else`, async () => {
      const begin = performance.now();
      const children: number[] = [];
      await run(`kill -STOP ${XENSTORED}`);
      try {
        const first = recorder.pages.length;
        while (performance.now() - begin < STOPPED_SECONDS * 1000) {
          children.push(Number(await run(`pgrep -c -P $(cat ${EXPORTER_PID_FILE}) || :`)));
        }
        const failed = new Set(recorder.pages.slice(first).flatMap(failing));
        expect([...failed].filter((collector) => FROM_FILES.includes(collector))).toEqual([]);
        expect([...failed]).toContain('domains');
      } finally {
        await run(`kill -CONT ${XENSTORED}`);
      }
      expect(Math.max(...children)).toBe(1);
      await recorder.until('every collector to recover', (page) => failing(page).length === 0, 120_000);
    });

    test('no scrape has failed or taken longer than Prometheus waits', () => {
      expect(recorder.pages.length).toBeGreaterThan(STOPPED_SECONDS);
      expect(recorder.failures).toEqual([]);
    });

    test('no counter has gone down within a series', () => {
      expect(decreases(recorder.pages)).toEqual([]);
    });
  });

  test('killed in the middle of a command of xl, it starts again, and nothing is left behind', async () => {
    const { dom0 } = stage().lab;
    await dom0.run(`kill -STOP ${XENSTORED}`);
    try {
      const children = async () => (await dom0.run(`pgrep -P $(cat ${EXPORTER_PID_FILE}) || :`)).trim();
      const orphan = await until('xl to hang', async () => (await children()) || undefined, {
        timeoutMs: 60_000,
        intervalMs: 200,
      });
      await stopExporter(dom0, 'SIGKILL');
      await startExporter(dom0);
      const page = await metricsOf(dom0);
      expect(failing(page).filter((collector) => FROM_FILES.includes(collector))).toEqual([]);
      await dom0.run(`kill -CONT ${XENSTORED}`);
      await until('the command left behind to end', () => dom0.succeeds(`! kill -0 ${orphan}`), {
        timeoutMs: 60_000,
        intervalMs: 500,
      });
    } finally {
      await dom0.run(`kill -CONT ${XENSTORED}`);
    }
    await until('everything to be read', async () => failing(await metricsOf(dom0)).length === 0, {
      timeoutMs: 120_000,
      intervalMs: 1000,
    });
  });
}
