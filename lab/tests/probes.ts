import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { until } from '../../tools/lib/until.ts';
import { EXPORTER_FOLDER, metricsOf, startExporter, type StartOptions, stopExporter } from '../harness/exporter.ts';
import type { Machine } from '../harness/machine.ts';
import type { Stage } from '../harness/stage.ts';
import { tell } from '../harness/tell.ts';

const TRACEFS = '/sys/kernel/tracing';
/** Longer timeouts for the emulated processor. */
const startOptions = (flags = '', settings = {}): StartOptions => ({
  flags: `--collector.probes ${flags}`,
  settings: { 'collector.probes.cpu-budget': 1, ...settings },
});
const ALWAYS = startOptions('--collector.probes.window=20', { 'collector.probes.always': true });

/** Contents of tracefs that are not the kernel's own. */
const STATE = `cd ${TRACEFS} && cat kprobe_events synthetic_events && ls instances`;
const CLEANUP = `node ${EXPORTER_FOLDER}/dist/main.js probes --cleanup`;

const windows = (page: Exposition, result: string): number =>
  page.value('xen_exporter_probe_windows_total', { result }) ?? 0;

/** The collector probes on real Xen: its counts compared with other sources, and its clean-up. */
export function describeProbes(stage: () => Stage): void {
  describe('probes', () => {
    const dom0 = (): Machine => stage().lab.dom0;
    const victim = (): Machine => stage().lab.guest('domu1');
    const run = (script: string) => dom0().run(script, { timeoutMs: 120_000 });
    const startWith = async (machine: Machine, options: StartOptions = {}): Promise<void> => {
      await stopExporter(machine);
      await startExporter(machine, options);
    };
    const pageWith = (machine: Machine, what: string, condition: (page: Exposition) => boolean, timeoutMs = 120_000) =>
      until(
        what,
        async () => {
          const page = await metricsOf(machine);
          return condition(page) && page;
        },
        { timeoutMs, intervalMs: 1000 },
      );
    const stateOf = (machine: Machine) => machine.run(STATE);
    const isArmed = () =>
      dom0().succeeds(`grep -q hist: ${TRACEFS}/instances/xen_exporter_*/events/xen_exporter/*/trigger`);
    const untilArmed = () => until('probes to be armed', isArmed, { timeoutMs: 120_000, intervalMs: 200 });

    afterAll(async () => {
      await run('/lab/storm stop; :');
      for (const machine of [dom0(), victim()]) await startWith(machine);
    });

    /** Growth of a metric between two pages, over all series with these labels. */
    const grownBetween =
      (first: Exposition, last: Exposition) =>
      (metric: string, labels: Record<string, string> = {}): number => {
        const sum = (page: Exposition): number =>
          page
            .samples(metric)
            .filter((sample) => Object.entries(labels).every(([name, value]) => sample.labels[name] === value))
            .reduce((all, { value }) => all + value, 0);
        return sum(last) - sum(first);
      };

    describe('under the storm', () => {
      let grown: Record<'dom0' | 'domu1', ReturnType<typeof grownBetween>>;
      let seconds: Record<'dom0' | 'domu1', number>;

      beforeAll(async () => {
        await run('/lab/storm net');
        const machines = { dom0: dom0(), domu1: victim() };
        for (const machine of Object.values(machines)) await startWith(machine, ALWAYS);
        const pages = async (count: number): Promise<Record<'dom0' | 'domu1', { page: Exposition; at: number }>> => {
          const of = async (machine: Machine) => {
            const page = await pageWith(machine, 'windows', (each) => windows(each, 'complete') >= count, 300_000);
            return { page, at: performance.now() / 1e3 };
          };
          return { dom0: await of(machines.dom0), domu1: await of(machines.domu1) };
        };
        const first = await pages(1);
        const last = await pages(5);
        grown = {
          dom0: grownBetween(first.dom0.page, last.dom0.page),
          domu1: grownBetween(first.domu1.page, last.domu1.page),
        };
        seconds = { dom0: last.dom0.at - first.dom0.at, domu1: last.domu1.at - first.domu1.at };
      }, 900_000);
      afterAll(() => run('/lab/storm stop'));

      /** Growth per second of time with armed probes of a set. */
      const armedRate = (machine: 'dom0' | 'domu1', set: string, metric: string, labels = {}): number =>
        grown[machine](metric, labels) / grown[machine]('xen_exporter_probe_armed_seconds_total', { probes: set });

      test('every window is complete, nothing is dropped, and hardly a hit is missed', () => {
        for (const machine of ['dom0', 'domu1'] as const) {
          for (const result of ['short', 'refused', 'failed']) {
            expect(grown[machine]('xen_exporter_probe_windows_total', { result })).toBe(0);
          }
          expect(grown[machine]('xen_exporter_probe_dropped_total')).toBe(0);
          const hits = grown[machine]('xen_exporter_probe_hits_total');
          const missed = grown[machine]('xen_exporter_probe_missed_total');
          tell(
            `${machine}: ${hits} hits, ${missed} missed, ${grown[machine]('xen_exporter_probe_discarded_total')} times discarded, ` +
              `${grown[machine]('xen_exporter_probe_cpu_seconds_total').toFixed(2)} s of CPU time in ${seconds[machine].toFixed(0)} s`,
          );
          expect(missed).toBeLessThan(0.02 * hits);
        }
      });

      test('copies are about as many as slots that netback consumes', () => {
        const slots = (labels: Record<string, string>): number =>
          grown.dom0('xen_netback_ring_consumed_slots_total', labels) / seconds.dom0;
        const copies = (labels: Record<string, string>): number =>
          armedRate('dom0', 'grants', 'xen_grant_operations_total', { operation: 'copy', ...labels });
        const toGuest = copies({ domain: 'domu1' }) / slots({ domain: 'domu1', ring: 'rx' });
        const all = copies({}) / slots({});
        tell(
          `domu1: ${copies({ domain: 'domu1' }).toFixed(0)} copies/s of threads, ${toGuest.toFixed(2)} for each rx slot; all: ${copies({}).toFixed(0)}/s, ${all.toFixed(2)} for each slot; ` +
            `softirqs ${(copies({ domain: '' }) / copies({})).toFixed(2)}`,
        );
        expect(toGuest).toBeGreaterThan(0.9);
        expect(toGuest).toBeLessThan(1.8);
        expect(all).toBeGreaterThan(0.8);
        expect(all).toBeLessThan(1.5);
      });

      test('every call that was counted has a time', () => {
        const calls = grown.dom0('xen_grant_calls_total', { operation: 'copy' });
        const timed = grown.dom0('xen_grant_call_duration_seconds_count', { operation: 'copy' });
        const share = armedRate('dom0', 'grants', 'xen_grant_call_duration_seconds_sum');
        const busy = ['user', 'system', 'nice', 'irq', 'softirq'].reduce(
          (sum, mode) => sum + grown.dom0('xen_cpu_seconds_total', { mode }),
          0,
        );
        tell(
          `${timed} of ${calls} calls timed; in grant calls ${(100 * share).toFixed(2)} % of one CPU, ${((100 * share * seconds.dom0) / busy).toFixed(1)} % of the CPU time that Dom0 used`,
        );
        expect(timed / calls).toBeGreaterThan(0.95);
        expect(timed / calls).toBeLessThanOrEqual(1.01);
        expect(share).toBeGreaterThan(0);
      });

      test('events toward the guest are at least as many as the interrupts that it sees, which pending ones join', () => {
        const sends = armedRate('dom0', 'events', 'xen_event_channel_sends_total', {
          source: 'netback',
          domain: 'domu1',
        });
        const interrupts = grown.domu1('xen_netfront_interrupts_total') / seconds.domu1;
        const packets = grown.domu1('xen_netfront_receive_packets_total') / seconds.domu1;
        tell(
          `domu1: ${sends.toFixed(0)} events/s sent, ${interrupts.toFixed(0)} interrupts/s seen, ${packets.toFixed(0)} packets/s received; to all guests ` +
            `${armedRate('dom0', 'events', 'xen_event_channel_sends_total').toFixed(0)}/s`,
        );
        expect(sends).toBeGreaterThan(0.8 * interrupts);
        expect(armedRate('domu1', 'events', 'xen_event_channel_sends_total', { source: 'netfront' })).toBeGreaterThan(
          0,
        );
        expect(grown.dom0('xen_event_channel_late_eois_total', { domain: 'domu1', result: 'work' })).toBeGreaterThan(0);
      });

      test('every connection that TCP counts comes by a probe, and its wait is that of the queue’s integral', () => {
        const hits = ['inet_csk_complete_hashdance', 'inet_csk_reqsk_queue_add'].map((name) =>
          grown.domu1('xen_exporter_probe_hits_total', { probes: 'accept', function: name }),
        );
        const opens = grown.domu1('xen_accept_probe_passive_opens_total');
        const waits = grown.domu1('xen_accept_wait_seconds_count');
        const unmatched = grown.domu1('xen_accept_wait_unmatched_total');
        const mean = grown.domu1('xen_accept_wait_seconds_sum') / waits;
        const byLittle =
          grown.domu1('xen_listener_accept_queue_connection_seconds_total') /
          grown.domu1('xen_tcp_passive_opens_total');
        tell(
          `${opens} connections, hits ${hits.join(' and ')}; ${waits} waits, ${unmatched} unmatched; mean ${(1e3 * mean).toFixed(2)} ms, by the queue's integral ${(1e3 * byLittle).toFixed(2)} ms`,
        );
        expect(opens).toBeGreaterThan(100);
        expect((hits[0]! + hits[1]!) / opens).toBeGreaterThan(0.95);
        expect((hits[0]! + hits[1]!) / opens).toBeLessThan(1.05);
        expect(waits / (waits + unmatched)).toBeGreaterThan(0.9);
        expect(mean / byLittle).toBeGreaterThan(0.6);
        expect(mean / byLittle).toBeLessThan(1.6);
      });

      test('too many hits end the window', async () => {
        await startWith(dom0(), startOptions('--collector.probes.window=20', { 'collector.probes.max-hits': 1 }));
        const page = await pageWith(dom0(), 'a short window', (each) => windows(each, 'short') >= 1);
        const armed = page.value('xen_exporter_probe_armed_seconds_total', { probes: 'events' })!;
        expect(armed).toBeGreaterThan(0.4);
        expect(armed).toBeLessThan(15);
        expect(await isArmed()).toBe(false);
      });
    });

    describe('what is left behind', () => {
      const STRANGER = 'p:stranger/copy gnttab_batch_copy n=%si:u32';
      let before: string;

      beforeAll(async () => {
        for (const machine of [dom0(), victim()]) await stopExporter(machine);
        // Another program's events, which must stay.
        await run(
          `cd ${TRACEFS} && echo '${STRANGER}' >>kprobe_events && echo 'stranger_time u64 ns' >>synthetic_events && mkdir instances/stranger && echo 'hist:keys=common_pid:vals=n' >instances/stranger/events/stranger/copy/trigger`,
        );
        before = await stateOf(dom0());
      });
      afterAll(async () => {
        await run(
          `cd ${TRACEFS} && : >instances/stranger/events/stranger/copy/trigger; rmdir instances/stranger; echo '!stranger_time' >>synthetic_events; echo '-:stranger/copy' >>kprobe_events; :`,
        );
        await startExporter(victim());
        await startExporter(dom0());
      });

      test('nothing after SIGTERM in the middle of a window', async () => {
        await startExporter(dom0(), startOptions('--collector.probes.window=60'));
        await untilArmed();
        await stopExporter(dom0(), 'SIGTERM');
        expect(await stateOf(dom0())).toBe(before);
      });

      test('probes after kill -9, until the next start', async () => {
        await startExporter(dom0(), startOptions('--collector.probes.window=60'));
        await untilArmed();
        await stopExporter(dom0(), 'SIGKILL');
        // Confirms that leftovers are visible.
        expect(await isArmed()).toBe(true);
        const [left] = /^xen_exporter_\d+_\d+$/m.exec(await stateOf(dom0()))!;
        await startExporter(dom0(), startOptions('--collector.probes.window=1 --collector.probes.interval=3600'));
        await pageWith(dom0(), 'the first window', (page) => windows(page, 'complete') >= 1);
        expect(await stateOf(dom0())).not.toContain(left);
        await stopExporter(dom0(), 'SIGTERM');
        expect(await stateOf(dom0())).toBe(before);
      });

      test('probes after kill -9, until probes --cleanup', async () => {
        await startExporter(dom0(), startOptions('--collector.probes.window=60'));
        await untilArmed();
        expect(await dom0().succeeds(CLEANUP)).toBe(false);
        await stopExporter(dom0(), 'SIGKILL');
        expect(await run(CLEANUP)).toContain('Removed instances/xen_exporter_');
        expect(await stateOf(dom0())).toBe(before);
        expect(await run(CLEANUP)).toBe('Found no leftover probes\n');
      });

      test('the stranger has counted on', async () => {
        expect(await run(`cat ${TRACEFS}/instances/stranger/events/stranger/copy/hist`)).toMatch(/Hits: [1-9]/);
      });
    });

    test('a guest that is locked out of its own tracefs says why', async () => {
      await victim().run(`umount ${TRACEFS}`);
      try {
        await startWith(victim(), startOptions());
        const page = await metricsOf(victim());
        expect(page.value('xen_exporter_collector_available', { collector: 'probes' })).toBe(0);
      } finally {
        await victim().run(`mount -t tracefs tracefs ${TRACEFS}`);
      }
      const page = await pageWith(victim(), 'a window', (each) => windows(each, 'complete') >= 1);
      expect(page.value('xen_exporter_collector_available', { collector: 'probes' })).toBe(1);
      expect(page.samples('xen_exporter_probe_armed_seconds_total').map(({ labels }) => labels['probes'])).toEqual([
        'events',
        'accept',
      ]);
    });
  });
}
