// Measures what the kernel probes of the collector `probes` cost on real Xen, in the lab booted by `npm run lab:up`.
// First a hit in Dom0: triggers of each kind, at a system call in a loop. Then how armed probes slow down the
// connections that a guest accepts, with the counts of the probes. Under emulation absolute times mean nothing: only
// the ratios count.
import { metricsOf, startExporter, type StartOptions, stopExporter } from '../lab/harness/exporter.ts';
import { Lab } from '../lab/harness/lab.ts';
import type { Machine } from '../lab/harness/machine.ts';
import type { Exposition } from '../tools/lib/exposition.ts';
import { until } from '../tools/lib/until.ts';
import {
  delayCommand,
  delayFolder,
  ours,
  probeCommand,
  probeFolder,
  probeSets,
  triggersOf,
  type ProbeSet,
} from '../src/collectors/probes/probe-sets.ts';
import { acceptRate } from './lab-load.ts';
import { printRuns, quantile } from './support.ts';

const ROUNDS = 3;
const LOAD_SECONDS = 30;
const CALLS = 50_000;
const TRACEFS = '/sys/kernel/tracing';
const SYSTEM_CALL = '__x64_sys_getppid';
// Longer timeouts for the emulated processor.
const ALWAYS: StartOptions = {
  flags: '--collector.probes --collector.probes.window=10',
  settings: { 'collector.probes.cpu-budget': 0.5, 'collector.probes.always': true },
};

const running = Lab.running();
// Otherwise its probes panic Dom0: docs/internals/probes.md.
if (running?.threads !== 'single')
  throw new Error('no lab runs whose processors run in turn: npm run lab:up -- --threads=single --guests=domu1,domu2');
const lab = running;
const { dom0 } = lab;
const server = lab.guest('domu1');

/** These events of a set with their triggers, at another function. */
const at = (name: string, set: ProbeSet, events: readonly string[]): ProbeSet => ({
  ...set,
  probes: set.probes.filter(({ event }) => events.includes(event)).map((probe) => ({ ...probe, function: name })),
  counts: set.counts.filter(({ event }) => events.includes(event)),
  delays: set.delays.filter(({ from, to }) => events.includes(from.event) && events.includes(to.event)),
});

/** The same with one key for all: that function has no socket as argument and result. */
const withOneKey = (set: ProbeSet): ProbeSet => ({
  ...set,
  probes: set.probes.map((probe) => ({ ...probe, takes: probe.takes.map((take) => take.replace(/=[^:]+/, '=\\1')) })),
});

/** Work of each kind of hit. A system call has one argument; further arguments are the registers' contents. */
const kinds: Readonly<Record<string, ProbeSet>> = {
  'an event sent: count by IRQ': at(SYSTEM_CALL, probeSets.events, ['send']),
  'a late EOI: count by IRQ and flags': at(SYSTEM_CALL, probeSets.events, ['eoi']),
  'a grant call: count by thread, entry, return, time': at(SYSTEM_CALL, probeSets.grants, ['copy', 'copy_return']),
  'an accept: entry by socket, return, time': withOneKey(at(SYSTEM_CALL, probeSets.accept, ['queue', 'accept'])),
};

const INSTANCE = `${TRACEFS}/instances/bench`;
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const arm = (set: ProbeSet): string =>
  [
    `mkdir ${INSTANCE}; echo 0 >${INSTANCE}/tracing_on`,
    ...set.probes.map((probe) => `echo ${quoted(probeCommand(probe))} >>${TRACEFS}/kprobe_events`),
    ...set.delays.map((delay) => `echo ${quoted(delayCommand(delay))} >>${TRACEFS}/synthetic_events`),
    ...triggersOf(set).map(({ event, command }) => `echo ${quoted(command)} >>${INSTANCE}/events/${event}/trigger`),
  ].join('\n');

const disarm = (set: ProbeSet): string => {
  const events = [
    ...set.delays.flatMap((delay) => [delayFolder(delay), probeFolder(delay.to.event)]),
    ...set.probes.map(({ event }) => probeFolder(event)),
  ];
  return [
    ...events.map((event) => `: >${INSTANCE}/events/${event}/trigger`),
    `rmdir ${INSTANCE}`,
    ...set.delays.map(
      (delay) => `echo ${quoted(`!${delayCommand(delay).split(' ')[0]}`)} >>${TRACEFS}/synthetic_events`,
    ),
    ...set.probes.map(({ event }) => `echo ${quoted(`-:${probeFolder(event)}`)} >>${TRACEFS}/kprobe_events`),
  ].join('\n');
};

const LOOP = `python3 -c 'import os, time
call = os.getppid
begin = time.perf_counter()
for _ in range(${CALLS}): call()
print((time.perf_counter() - begin) / ${CALLS} * 1e9)'`;

/** Duration of a call in nanoseconds. */
const timeCalls = async (): Promise<number> => Number(await dom0.run(LOOP, { timeoutMs: 300_000 }));

const measureHits = async (): Promise<void> => {
  for (const [kind, set] of Object.entries(kinds)) {
    const without: number[] = [];
    const armed: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      without.push(await timeCalls());
      await dom0.run(`set -e\n${arm(set)}`);
      try {
        armed.push(await timeCalls());
      } finally {
        await dom0.run(disarm(set));
      }
    }
    printRuns(`${kind}: a call without`, without, 'ns');
    printRuns(`${kind}: a call with`, armed, 'ns');
    const cost = quantile(armed, 0.5) - quantile(without, 0.5);
    const ratio = quantile(armed, 0.5) / quantile(without, 0.5);
    console.log(`  costs ${cost.toFixed(0)} ns, ratio ${ratio.toFixed(2)}`);
  }
};

const startWith = async (options: { dom0?: StartOptions; server?: StartOptions }): Promise<void> => {
  for (const machine of [dom0, server]) await stopExporter(machine);
  await startExporter(server, options.server);
  await startExporter(dom0, options.dom0);
  for (const [machine, given] of [[server, options.server] as const, [dom0, options.dom0] as const]) {
    if (given) await until('the first window', () => hasWindow(machine), { timeoutMs: 300_000, intervalMs: 1000 });
  }
};

/** A page may take long under load. */
const pageOf = (machine: Machine): Promise<Exposition> => metricsOf(machine, 60);

const hasWindow = async (machine: Machine): Promise<boolean> =>
  ((await pageOf(machine)).value('xen_exporter_probe_windows_total', { result: 'complete' }) ?? 0) > 0;

const sumOf = (page: Exposition, metric: string, labels: Record<string, string> = {}): number =>
  page
    .samples(metric)
    .filter((sample) => Object.entries(labels).every(([name, value]) => sample.labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);

/** Counts of the probes in Dom0 and in the guest since their start, per armed second. */
const report = (host: Exposition, guest: Exposition): void => {
  const armed = (page: Exposition, probes: string): number =>
    sumOf(page, 'xen_exporter_probe_armed_seconds_total', { probes });
  const perSecond = (metric: string, probes: string, labels = {}): number =>
    sumOf(host, metric, labels) / armed(host, probes);
  const operations = (labels = {}): number => perSecond('xen_grant_operations_total', 'grants', labels);
  const waits = sumOf(guest, 'xen_accept_wait_seconds_count');
  console.log(
    [
      `  grant operations ${operations().toFixed(0)}/s, of them copies to domu1 ${operations({ domain: 'domu1' }).toFixed(0)}/s, maps ${operations({ operation: 'map' }).toFixed(0)}/s`,
      `in grant calls ${(100 * perSecond('xen_grant_call_duration_seconds_sum', 'grants')).toFixed(2)} % of one CPU`,
      `of which map and unmap ${(100 * (perSecond('xen_grant_call_duration_seconds_sum', 'grants', { operation: 'map' }) + perSecond('xen_grant_call_duration_seconds_sum', 'grants', { operation: 'unmap' }))).toFixed(2)} %`,
      `events sent ${perSecond('xen_event_channel_sends_total', 'events').toFixed(0)}/s`,
      `waits for accept() ${waits}, mean ${((1e3 * sumOf(guest, 'xen_accept_wait_seconds_sum')) / waits).toFixed(2)} ms`,
      `hits of all probes ${sumOf(host, 'xen_exporter_probe_hits_total')} in Dom0, missed ${sumOf(host, 'xen_exporter_probe_missed_total')}`,
    ].join('\n  '),
  );
};

const measureAccepts = async (): Promise<void> => {
  await server.run('pgrep -x nginx >/dev/null || nginx');
  const settings = {
    off: {},
    'always on in Dom0': { dom0: ALWAYS },
    'always on in Dom0 and guest': { dom0: ALWAYS, server: ALWAYS },
  } as const;
  const names = Object.keys(settings) as (keyof typeof settings)[];
  const accepts = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) {
      await startWith(settings[name]);
      accepts.get(name)!.push(await acceptRate(lab, server, LOAD_SECONDS, () => pageOf(dom0)));
      console.error(`accepts, round ${round + 1} of ${ROUNDS}, probes ${name}`);
      if (name === 'always on in Dom0 and guest') report(await pageOf(dom0), await pageOf(server));
    }
  }
  const off = quantile(accepts.get('off')!, 0.5);
  for (const [name, all] of accepts) {
    printRuns(`connections that domu1 accepts per second, probes ${name}`, all, '');
    console.log(`  ratio to off: ${(quantile(all, 0.5) / off).toFixed(3)}`);
  }
};

// An exporter's armed probes would be measured too.
await stopExporter(dom0);
const left = await dom0.run(`grep ${ours}/ ${TRACEFS}/kprobe_events || :`);
if (left !== '') throw new Error(`probes are left in Dom0: xen-exporter probes --cleanup there, first\n${left}`);
await measureHits();
await measureAccepts();
await startWith({});
