import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { until } from '../../tools/lib/until.ts';
import { compareWithXenalyze, intervalsOf, parseTrace } from '../../tools/lib/xentrace.ts';
import { metricsOf, startExporter, stopExporter } from '../harness/exporter.ts';
import type { GuestName } from '../harness/lab.ts';
import type { Stage } from '../harness/stage.ts';
import { tell } from '../harness/tell.ts';

const TRACE = '/run/lab/trace.xt';
/** Also used for the traces in the fixtures. */
const MASK = '0x00021000';
/** Minimum time of leftover tracing that can be detected. */
const LEFT_SECONDS = 4;
const ALWAYS_ON = '--xentrace.window=20 --xentrace.interval=20';

const windows = (page: Exposition, result: string): number =>
  page.value('xen_exporter_xentrace_windows_total', { result }) ?? 0;
const success = (page: Exposition): number | undefined =>
  page.value('xen_exporter_collector_success', { collector: 'runstate' });

/** The collector runstate on real Xen: its values, and its clean-up. */
export function describeRunStates(stage: () => Stage): void {
  describe('run states', () => {
    const run = (script: string, timeoutMs = 120_000) => stage().lab.dom0.run(script, { timeoutMs });
    // The emulated processor may take fifty milliseconds for a millisecond of work.
    const start = (flags: string, settings = {}) =>
      startExporter(stage().lab.dom0, {
        flags: `--collector.runstate ${flags}`,
        settings: { 'xentrace.cpu-budget': 0.5, ...settings },
      });
    /** Restarts Dom0's exporter with the collector enabled. */
    const startWith = async (flags: string, settings = {}): Promise<void> => {
      await stopExporter(stage().lab.dom0);
      await start(flags, settings);
    };
    const pageWith = (what: string, condition: (page: Exposition) => boolean, timeoutMs = 120_000) =>
      until(
        what,
        async () => {
          const page = await metricsOf(stage().lab.dom0);
          return condition(page) && page;
        },
        { timeoutMs, intervalMs: 1000 },
      );
    const readTrace = async (): Promise<Uint8Array> =>
      Uint8Array.from(Buffer.from(await run(`base64 -w 0 ${TRACE}`), 'base64'));
    const hertz = async (): Promise<number> =>
      1e6 * Number(await run('xl info | awk \'$1 == "cpu_mhz" { print $3 }\''));
    const xentraceRuns = () => stage().lab.dom0.succeeds('pgrep -x xentrace');
    const untilTracing = () => until('a window to begin', xentraceRuns, { timeoutMs: 120_000, intervalMs: 100 });

    /**
     * How long Xen has recorded without a reader, up to some seconds: a xentrace that does not enable tracing reads the
     * buffers. It disables tracing as it ends.
     */
    const secondsLeftOn = async (): Promise<number> => {
      await until('nobody to trace', async () => !(await xentraceRuns()), { timeoutMs: 60_000, intervalMs: 200 });
      await run(`sleep ${LEFT_SECONDS}; xentrace -X -T 1 ${TRACE}`);
      const { span } = parseTrace(await readTrace());
      return span === undefined ? 0 : (span.end - span.begin) / (await hertz());
    };

    afterAll(async () => {
      await run('/lab/storm stop; pkill -x xentrace; :');
      await stopExporter(stage().lab.dom0);
      await startExporter(stage().lab.dom0);
    });

    describe('under the storm', () => {
      beforeAll(() => run('/lab/storm start'));
      afterAll(() => run('/lab/storm stop'));

      test('a trace of this host: the same as xenalyze says', async () => {
        await stopExporter(stage().lab.dom0);
        await run(`xentrace -D -e ${MASK} -T 3 ${TRACE}`);
        const summary = await run(
          `$(command -v xenalyze || ls /usr/lib/xen-*/bin/xenalyze) --summary ${TRACE} 2>/dev/null`,
        );
        const { intervals, folded } = intervalsOf(await readTrace());
        expect(folded.mismatches).toBe(0);
        expect(folded.cycles / (await hertz())).toBeGreaterThan(2.5);
        const { vcpus, differences } = compareWithXenalyze(intervals, summary);
        expect(vcpus).toBeGreaterThanOrEqual(6);
        expect(differences).toEqual([]);
      });

      test('waits are those that the guests see as steal, and those of xl', { timeout: 600_000 }, async () => {
        const { lab } = stage();
        await startWith(ALWAYS_ON);
        const first = await pageWith('a window', (page) => windows(page, 'complete') >= 1);
        const steal = async (guest: GuestName): Promise<{ seconds: number; at: number }> => {
          const page = await metricsOf(lab.guest(guest));
          const stolen = page
            .samples('xen_cpu_seconds_total')
            .filter(({ labels }) => labels['mode'] === 'steal')
            .reduce((sum, { value }) => sum + value, 0);
          return { seconds: stolen, at: performance.now() / 1e3 };
        };
        const guests = ['domu1', 'domu2', 'pvh1'] as const;
        const before = new Map<GuestName, Awaited<ReturnType<typeof steal>>>();
        for (const guest of guests) before.set(guest, await steal(guest));
        const last = await pageWith(
          'six more windows',
          (page) => windows(page, 'complete') >= windows(first, 'complete') + 6,
          300_000,
        );
        const grown = (metric: string, labels: Record<string, string>): number =>
          last.value(metric, labels)! - first.value(metric, labels)!;
        const armed = grown('xen_exporter_xentrace_armed_seconds_total', {});
        const seconds = (domain: GuestName, state: string): number =>
          grown('xen_domain_runstate_seconds_total', { domain, state });
        const observations = (domain: GuestName, state: string): number =>
          grown('xen_domain_vcpu_observations_total', { domain, state });

        const rows: string[] = [];
        for (const guest of guests) {
          const { seconds: stolen, at } = await steal(guest);
          const stolenCpus = (stolen - before.get(guest)!.seconds) / (at - before.get(guest)!.at);
          const waiting = (seconds(guest, 'runnable') + seconds(guest, 'offline')) / armed;
          const all = ['running', 'runnable', 'blocked'].reduce((sum, state) => sum + observations(guest, state), 0);
          const seen = observations(guest, 'runnable') / all;
          const share =
            seconds(guest, 'runnable') /
            ['running', 'runnable', 'blocked', 'offline'].reduce((sum, state) => sum + seconds(guest, state), 0);
          const wakes = grown('xen_domain_wake_delay_seconds_count', { domain: guest });
          const wakeDelay = grown('xen_domain_wake_delay_seconds_sum', { domain: guest }) / wakes;
          const turns = grown('xen_domain_preempted_wait_seconds_count', { domain: guest });
          const wait = grown('xen_domain_preempted_wait_seconds_sum', { domain: guest }) / turns;
          rows.push(
            `${guest}: vCPUs waiting ${waiting.toFixed(3)}, stolen ${stolenCpus.toFixed(3)}; share of time ${share.toFixed(3)}, of looks ${seen.toFixed(3)}; ` +
              `${wakes} wakes waited ${(1e3 * wakeDelay).toFixed(3)} ms, ${turns} turns ${(1e3 * wait).toFixed(2)} ms`,
          );
          // A storm is steady over two minutes but not over a second, and there is a second between windows.
          expect.soft(Math.abs(waiting - stolenCpus), rows.at(-1)).toBeLessThan(0.03 + 0.1 * stolenCpus);
          // From some thirty observations of each vCPU.
          expect.soft(Math.abs(share - seen), rows.at(-1)).toBeLessThan(0.25);
        }
        tell(rows.join('\n'));
        expect(seconds('domu1', 'runnable') / (2 * armed)).toBeGreaterThan(0.4);
        expect(seconds('pvh1', 'runnable') / armed).toBeLessThan(0.1);

        expect(grown('xen_exporter_xentrace_mismatched_changes_total', {})).toBe(0);
        expect(grown('xen_exporter_xentrace_lost_records_total', {})).toBe(0);
        expect(['short', 'refused', 'failed'].map((result) => windows(last, result))).toEqual([0, 0, 0]);
        const bytes = grown('xen_exporter_xentrace_bytes_total', {});
        const cpuSeconds = grown('xen_exporter_xentrace_cpu_seconds_total', {});
        tell(
          `${(bytes / armed).toFixed(0)} bytes and ${((1e3 * cpuSeconds) / armed).toFixed(1)} ms of CPU time for each second that was traced`,
        );
        expect(bytes).toBeGreaterThan(0);
      });

      test('a window with more bytes than it may have is short, and counts', async () => {
        await startWith('--xentrace.window=5 --xentrace.interval=60', { 'xentrace.max-bytes': 65_536 });
        const page = await pageWith('a short window', (each) => windows(each, 'short') >= 1);
        const armed = page.value('xen_exporter_xentrace_armed_seconds_total', {})!;
        expect(armed).toBeGreaterThan(0.2);
        expect(armed).toBeLessThan(4.5);
        expect(success(page)).toBe(1);
        expect(await secondsLeftOn()).toBeLessThan(1);
      });
    });

    test('without the storm nobody waits', async () => {
      await startWith('--xentrace.window=5 --xentrace.interval=6');
      const page = await pageWith('three windows', (each) => windows(each, 'complete') >= 3);
      const armed = page.value('xen_exporter_xentrace_armed_seconds_total', {})!;
      expect(armed).toBeGreaterThan(12);
      const runnable = page.value('xen_domain_runstate_seconds_total', { domain: 'pvh1', state: 'runnable' })!;
      expect(runnable / armed).toBeLessThan(0.05);
    });

    test('SIGTERM in the middle of a window leaves tracing off', async () => {
      await startWith('--xentrace.window=60 --xentrace.interval=300');
      await untilTracing();
      await stopExporter(stage().lab.dom0, 'SIGTERM');
      expect(await secondsLeftOn()).toBeLessThan(1);
    });

    test(
      'after kill -9 in the middle of a window tracing is on, until the next start, which turns it off',
      { timeout: 600_000 },
      async () => {
        const kill = async (): Promise<void> => {
          await startWith('--xentrace.window=60 --xentrace.interval=300');
          await untilTracing();
          await stopExporter(stage().lab.dom0, 'SIGKILL');
        };
        // Confirms that leftover tracing is visible. The check turns it off.
        await kill();
        expect(await secondsLeftOn()).toBeGreaterThan(LEFT_SECONDS / 2);
        await kill();
        await start('--xentrace.window=1 --xentrace.interval=3600');
        await pageWith('the first window', (page) => windows(page, 'complete') >= 1);
        expect(await secondsLeftOn()).toBeLessThan(1);
      },
    );

    test('kill -9 of xentrace: the exporter says so, and turns tracing off', async () => {
      await startWith('--xentrace.window=60 --xentrace.interval=3600');
      await untilTracing();
      await run('pkill -KILL -x xentrace');
      const page = await pageWith('the failure', (each) => windows(each, 'failed') >= 1);
      expect(success(page)).toBe(0);
      expect(await secondsLeftOn()).toBeLessThan(1);
    });

    test('another tracer is left alone, with its event mask, and goes on', async () => {
      const { dom0 } = stage().lab;
      await stopExporter(dom0);
      // All scheduler classes: our mask would exclude some of its records.
      await run(
        `setsid xentrace -D -e 0x0002f000 -T 300 ${TRACE} </dev/null >/dev/null 2>&1 & echo $! >/run/lab/tracer.pid`,
      );
      const lsevtchn = '$(command -v lsevtchn || ls /usr/lib/xen-*/bin/lsevtchn)';
      await until('it to have begun', () => dom0.succeeds(`${lsevtchn} 0 | grep -q 'Virtual IRQ 4$'`), {
        timeoutMs: 30_000,
        intervalMs: 200,
      });
      await start('--xentrace.window=1 --xentrace.interval=5');
      const refused = await pageWith('two refusals', (page) => windows(page, 'refused') >= 2);
      expect(windows(refused, 'complete')).toBe(0);
      expect(success(refused)).toBe(0);
      // From now on it writes records that the exporter's mask would exclude.
      const size = Number(await run(`stat -c %s ${TRACE}`));
      await until('its file to grow', async () => Number(await run(`stat -c %s ${TRACE}`)) > size + 20_000, {
        timeoutMs: 60_000,
        intervalMs: 500,
      });
      await run('pkill -TERM -x xentrace');
      expect(Number(await run(verboseRecords(size)))).toBeGreaterThan(0);

      const page = await pageWith('a window of our own', (each) => windows(each, 'complete') >= 1);
      expect(success(page)).toBe(1);
    });

    test('Xen says how much its buffers take, once', async () => {
      const said = (await run('xl dmesg | grep xentrace: || :'))
        .split('\n')
        .filter((line) => line.includes('requesting'));
      // The console ring may have lost the line.
      expect(said.length).toBeLessThanOrEqual(1);
      for (const line of said) expect(line).toMatch(/for 32 trace pages on \d+ cpus/);
    });
  });
}

/** A shell command that counts records of the scheduler's verbose classes after this offset of the trace. */
function verboseRecords(offset: number): string {
  const count = [
    'import struct',
    `trace = open("${TRACE}", "rb").read()`,
    'at = found = 0',
    'while at + 4 <= len(trace):',
    '  header, = struct.unpack_from("<I", trace, at)',
    `  found += at >= ${offset} and header & 0xffff000 == 0x28000`,
    '  at += 4 + 8 * (header >> 31) + 4 * (header >> 28 & 7)',
    'print(found)',
  ].join('\n');
  return `python3 -c '${count}'`;
}
