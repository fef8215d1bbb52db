import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { probes } from '../../src/collectors/probes/probes.ts';
import { systemClock } from '../../src/host/clock.ts';
import type { Host } from '../../src/host/host.ts';
import { collect, collectText, createCollector, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import { FakeTracefs, type TableContent } from '../support/fake-tracefs.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';
import { until } from '../../tools/lib/until.ts';

let tree: TempTree;
let tracefs: FakeTracefs;
let host: Host;
let collector: Collector;
const own = 'xen_exporter_77_1234';

/** The beginning of /proc/PID/stat. */
const stat = (pid: number, startTicks: number): string =>
  `${pid} (node) S 1 ${pid} ${pid} 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 11 0 ${startTicks} 0 0\n`;

const create = (options: Record<string, unknown> = {}): void => {
  collector = createCollector(probes, host, { window: 0.02, 'cpu-budget': 1, ...options });
};

beforeEach(() => {
  let copied: Host;
  ({ tree, host: copied } = copyOfHost('credit-storm', [
    'bin',
    'commands/xl list -v',
    'commands/xl list -l',
    'proc/interrupts',
    'proc/net/netstat',
    'proc/net/snmp',
    'proc/xen',
    'sys/hypervisor/type',
    ...['vif-1-0', 'vif-2-0', 'vif-3-0'].map((name) => `sys/bus/xen-backend/devices/${name}/nodename`),
    ...['vif1.0', 'vif2.0', 'vif3.0'].map((name) => `sys/class/net/${name}/carrier`),
  ]));
  tree.write({ 'proc/self/stat': stat(77, 1234), 'proc/77/stat': stat(77, 1234) });
  tracefs = new FakeTracefs(tree);
  host = { ...copied, tracefs, clock: systemClock };
  create();
});
afterEach(async () => {
  await collector.close!();
  tree[Symbol.dispose]();
});

const nothing = { probes: [], synthetic: [], instances: [] };

const watchOnce = async (): Promise<string[]> =>
  (await runBackground([collector])).map(({ message }) => message.replaceAll(tree.root, ''));
const page = () => collect(collector, host);
const windows = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await page()).samples('xen_exporter_probe_windows_total').map(({ labels, value }) => [labels['result']!, value]),
  );

/** Sets the kernel's counts at the end of a window: empty at its first reading, complete at its second. */
const atTheEnd = (
  tables: Record<string, readonly TableContent[]>,
  profile: Record<string, [number, number]> = {},
): void => {
  let profiles = 0;
  tracefs.onRead = (name) => {
    // Read before the tables, at least twice during the window, and before the tables again.
    if (name !== 'kprobe_profile' || (profiles += 1) !== 3) return;
    for (const [event, content] of Object.entries(tables)) tracefs.tables.set(event, content);
    for (const [event, counts] of Object.entries(profile)) tracefs.profile.set(`xen_exporter_${event}`, counts);
  };
};

test('is off unless switched on', () => {
  expect(probes.enabledByDefault).toBe(false);
});

describe('what is written to tracefs', () => {
  const events = `instances/${own}/events`;

  test('the probes of accept: made, armed for the window, disarmed, and all gone at the end', async () => {
    create({ sets: 'accept' });
    expect(await watchOnce()).toEqual([]);
    const registers = process.arch === 'x64' ? ['%si', '%dx'] : ['$arg2', '$arg3'];
    const match = (event: string): string =>
      `hist:keys=newsk:${event}_time_ns=common_timestamp-$${event}_time_at:size=4096:clock=mono:onmatch(xen_exporter.xen_exporter_${event}).xen_exporter_${event}_time($${event}_time_ns) if newsk != 0`;
    expect(tracefs.written).toEqual([
      `mkdir ${own}`,
      `instances/${own}/tracing_on= 0`,
      `instances/${own}/buffer_size_kb= 1`,
      `kprobe_events: p:xen_exporter/xen_exporter_queue inet_csk_complete_hashdance child=${registers[0]}:x64`,
      `kprobe_events: p:xen_exporter/xen_exporter_add inet_csk_reqsk_queue_add child=${registers[1]}:x64`,
      'kprobe_events: r1024:xen_exporter/xen_exporter_accept inet_csk_accept newsk=$retval:x64',
      'synthetic_events: xen_exporter_queue_time u64 ns',
      'synthetic_events: xen_exporter_add_time u64 ns',
      `${events}/synthetic/xen_exporter_queue_time/trigger: hist:keys=ns.log2:vals=hitcount,ns:size=128`,
      `${events}/xen_exporter/xen_exporter_queue/trigger: hist:keys=child:queue_time_at=common_timestamp:size=4096:clock=mono`,
      `${events}/xen_exporter/xen_exporter_accept/trigger: ${match('queue')}`,
      `${events}/synthetic/xen_exporter_add_time/trigger: hist:keys=ns.log2:vals=hitcount,ns:size=128`,
      `${events}/xen_exporter/xen_exporter_add/trigger: hist:keys=child:add_time_at=common_timestamp:size=4096:clock=mono`,
      `${events}/xen_exporter/xen_exporter_accept/trigger: ${match('add')}`,
      `clear ${events}/xen_exporter/xen_exporter_accept`,
      `clear ${events}/synthetic/xen_exporter_add_time`,
      `clear ${events}/synthetic/xen_exporter_queue_time`,
      `clear ${events}/xen_exporter/xen_exporter_add`,
      `clear ${events}/xen_exporter/xen_exporter_queue`,
    ]);
    expect([...tracefs.instances.get(own)!.values()].flat()).toEqual([]);

    tracefs.written.length = 0;
    await collector.close!();
    expect(tracefs.written).toEqual([
      `rmdir ${own}`,
      'synthetic_events: !xen_exporter_queue_time',
      'synthetic_events: !xen_exporter_add_time',
      'kprobe_events: -:xen_exporter/xen_exporter_queue',
      'kprobe_events: -:xen_exporter/xen_exporter_add',
      'kprobe_events: -:xen_exporter/xen_exporter_accept',
    ]);
    expect(tracefs.state).toEqual(nothing);
  });

  test('nothing is tried twice while all goes well', async () => {
    create({ sets: 'grants,events,accept' });
    await watchOnce();
    expect(tracefs.probes.length).toBe(6 + 2 + 3);
    expect(tracefs.synthetic.length).toBe(3 + 2);
    const cleared = tracefs.written.filter((line) => line.startsWith('clear'));
    expect(cleared.length).toBe(new Set(cleared).size);
    expect(cleared.length).toBe(6 + 2 + 3 + 3 + 2);
    tracefs.written.length = 0;
    await watchOnce();
    expect(tracefs.written.filter((line) => !/(trigger: hist:|^clear )/.test(line))).toEqual([]);
  });

  test('always: armed once, read after each window', async () => {
    create({ sets: 'accept', always: true });
    expect(collector.background!.map(({ every }) => every)).toEqual([{ seconds: 0 }]);
    await watchOnce();
    tracefs.written.length = 0;
    const before = (await page()).value('xen_exporter_probe_armed_seconds_total', { probes: 'accept' })!;
    await watchOnce();
    expect(tracefs.written).toEqual([]);
    expect((await page()).value('xen_exporter_probe_armed_seconds_total', { probes: 'accept' })).toBeGreaterThan(
      before,
    );
    await collector.close!();
    expect(tracefs.state).toEqual(nothing);
  });

  test('a window, every minute', () => {
    create({ window: 5 });
    expect(collector.background!.map(({ every }) => every)).toEqual([{ seconds: 55 }]);
  });
});

describe('what is left behind', () => {
  const theirs = {
    probes: ['p:gnt/copy gnttab_batch_copy n=%si:u32', 'r10:xl/ret gnttab_batch_copy'],
    synthetic: ['xl_lat u64 lat'],
    instances: ['foo'],
  };

  beforeEach(async () => {
    for (const probe of theirs.probes) await tracefs.append('kprobe_events', probe);
    await tracefs.append('synthetic_events', theirs.synthetic[0]!);
    await tracefs.makeInstance('foo');
    await tracefs.append('instances/foo/events/gnt/copy/trigger', 'hist:keys=common_pid.execname:vals=n');
  });

  /** Starts another exporter in the middle of a window. */
  const startAnother = async (pid: number, startTicks: number): Promise<void> => {
    tree.write({ 'proc/self/stat': stat(pid, startTicks) });
    const killed = createCollector(probes, host, { window: 0.02, always: true, 'cpu-budget': 1 });
    await runBackground([killed]);
    tree.write({ 'proc/self/stat': stat(77, 1234) });
  };
  /** Like kill -9: the kernel releases its lock. */
  const killIt = (): void => {
    tracefs.isLocked = false;
  };

  test('nothing of ours, and all of others', async () => {
    await watchOnce();
    expect(tracefs.state.probes.length).toBe(2 + 11);
    await collector.close!();
    expect(tracefs.state).toEqual(theirs);
    expect(tracefs.instances.get('foo')!.get('gnt/copy')).toHaveLength(1);
  });

  test('a run before that was killed: its remains are taken away first', async () => {
    await startAnother(50, 900);
    killIt();
    expect(tracefs.state.instances).toEqual(['foo', 'xen_exporter_50_900']);
    tracefs.written.length = 0;
    expect(await watchOnce()).toEqual([]);
    expect(tracefs.state.instances).toEqual(['foo', own]);
    expect(tracefs.written.indexOf('rmdir xen_exporter_50_900')).toBeLessThan(tracefs.written.indexOf(`mkdir ${own}`));
    await collector.close!();
    expect(tracefs.state).toEqual(theirs);
  });

  test('another exporter that lives is left alone; the window counts as refused', async () => {
    // Its process is invisible, as in another PID namespace.
    await startAnother(50, 900);
    const before = tracefs.state;
    expect(await watchOnce()).toEqual([
      'another running xen-exporter has probes in /sys/kernel/tracing (instances/xen_exporter_50_900)',
    ]);
    expect(tracefs.state).toEqual(before);
    expect(await windows()).toEqual({ complete: 0, short: 0, refused: 1, failed: 0 });
    killIt();
    expect(await watchOnce()).toEqual([]);
    expect((await windows())['complete']).toBe(1);
  });

  test('what could not be taken away after a failure is so in the end', async () => {
    tracefs.refusals.set('r1024:xen_exporter/xen_exporter_copy_return', 'ENOMEM');
    let reads = 0;
    tracefs.onRead = (name) => {
      if (name === 'kprobe_events' && (reads += 1) === 2) tracefs.refusals.set('kprobe_events', 'EIO');
    };
    expect(await watchOnce()).toEqual(['/sys/kernel/tracing/kprobe_events: ENOMEM']);
    expect(tracefs.probes).toHaveLength(2 + 1);
    tracefs.refusals.clear();
    await collector.close!();
    expect(tracefs.state).toEqual(theirs);
  });

  test('a window that fails is followed by a clean start', async () => {
    tracefs.tables.set('xen_exporter/xen_exporter_send', [{ rows: ['{ what: 1 } hitcount: 1'] }]);
    expect(await watchOnce()).toEqual([
      `/sys/kernel/tracing/instances/${own}/events/xen_exporter/xen_exporter_send/hist: expected a row "{ irq: ... } hitcount: N", found "{ what: 1 } hitcount: 1"`,
    ]);
    expect(tracefs.state).toEqual(theirs);
    expect(await windows()).toEqual({ complete: 0, short: 0, refused: 0, failed: 1 });
    tracefs.tables.clear();
    expect(await watchOnce()).toEqual([]);
  });

  test('probes that somebody has taken away are made anew', async () => {
    await watchOnce();
    for (const name of tracefs.synthetic.slice(1)) await tracefs.append('synthetic_events', `!${name.split(' ')[0]}`);
    expect(await watchOnce()).toHaveLength(1);
    expect(await watchOnce()).toEqual([]);
    expect((await windows())['complete']).toBe(2);
  });

  test('an end in the middle of a window', async () => {
    create({ window: 60 });
    const watching = watchOnce();
    await until('the probes to be armed', () => tracefs.written.some((line) => line.includes('onmatch')));
    await collector.close!();
    expect(await watching).toEqual([]);
    expect(tracefs.state).toEqual(theirs);
    expect(await watchOnce()).toEqual([]);
    expect(tracefs.state).toEqual(theirs);
  });
});

describe('what is counted', () => {
  test('grant operations by guest, and those of softirqs by nobody', async () => {
    create({ sets: 'grants' });
    atTheEnd(
      {
        'xen_exporter/xen_exporter_copy': [
          {
            rows: [
              '{ common_pid: vif1.0-q0-guest [       402] } hitcount:        100  count:        131',
              '{ common_pid: vif1.0-q1-guest [       403] } hitcount:         50  count:         60',
              '{ common_pid: vif2.0-q0-guest [       412] } hitcount:          3  count:          3',
              '{ common_pid: <idle>          [         0] } hitcount:         70  count:         75',
              '{ common_pid: ksoftirqd/1     [        21] } hitcount:          5  count:          9',
            ],
          },
        ],
        'xen_exporter/xen_exporter_unmap': [
          { rows: ['{ common_pid: vif1.0-q0-deall [       404] } hitcount:          2  count:         40'] },
        ],
        'synthetic/xen_exporter_copy_time': [
          {
            rows: [
              '{ ns: ~ 2^22 } hitcount:          4  ns:   10727127',
              '{ ns: ~ 2^7  } hitcount:          1  ns:        100',
              '{ ns: ~ 2^18 } hitcount:        134  ns:   28097707',
              '{ ns: ~ 2^64 } hitcount:          2  ns: 36893488147419103000',
              '{ ns: ~ 2^31 } hitcount:          1  ns: 1500000000',
            ],
            dropped: 3,
          },
        ],
      },
      { copy: [228, 13] },
    );
    expect(await watchOnce()).toEqual([]);
    const exposition = await page();
    const all = (name: string): Record<string, number> =>
      Object.fromEntries(
        exposition.samples(name).map(({ labels, value }) => [`${labels['domain']} ${labels['operation']}`, value]),
      );
    expect(all('xen_grant_operations_total')).toEqual({
      ' copy': 84,
      'domu1 copy': 191,
      'domu1 unmap': 40,
      'domu2 copy': 3,
    });
    expect(all('xen_grant_calls_total')).toEqual({ ' copy': 75, 'domu1 copy': 150, 'domu1 unmap': 2, 'domu2 copy': 3 });

    const bucket = (le: string): number | undefined =>
      exposition.value('xen_grant_call_duration_seconds_bucket', { operation: 'copy', le });
    // 2^8, 2^17, 2^18, 2^22 and 2^30 ns.
    expect(['2.56e-7', '0.000131072', '0.000262144', '0.004194304', '1.073741824', '+Inf'].map(bucket)).toEqual([
      1, 1, 135, 139, 139, 140,
    ]);
    expect(exposition.value('xen_grant_call_duration_seconds_sum', { operation: 'copy' })).toBeCloseTo(
      (10727127 + 100 + 28097707 + 1500000000) / 1e9,
      12,
    );
    const probes = { probes: 'grants' };
    expect(exposition.value('xen_exporter_probe_discarded_total', probes)).toBe(2);
    expect(exposition.value('xen_exporter_probe_dropped_total', probes)).toBe(3);
    const copy = { ...probes, function: 'gnttab_batch_copy', at: 'entry' };
    expect(exposition.value('xen_exporter_probe_hits_total', copy)).toBe(228);
    expect(exposition.value('xen_exporter_probe_missed_total', copy)).toBe(13);
    const armed = exposition.value('xen_exporter_probe_armed_seconds_total', probes)!;
    expect(armed).toBeGreaterThanOrEqual(0.02);
    expect(exposition.value('xen_exporter_probe_cpu_seconds_total')).toBeGreaterThan(0);
  });

  test('windows add up, and what was there before one does not count', async () => {
    create({ sets: 'events' });
    tracefs.tables.set('xen_exporter/xen_exporter_send', [{ rows: ['{ irq:         54 } hitcount:        100'] }]);
    await watchOnce();
    atTheEnd({ 'xen_exporter/xen_exporter_send': [{ rows: ['{ irq:         54 } hitcount:        107'] }] });
    await watchOnce();
    const toDomu1 = { domain: 'domu1', source: 'netback', vif: '0', queue: '' };
    expect((await page()).value('xen_event_channel_sends_total', toDomu1)).toBe(7);
  });

  test('events toward each guest, by the IRQs of /proc/interrupts', async () => {
    create({ sets: 'events', queues: 'each' });
    atTheEnd({
      'xen_exporter/xen_exporter_send': [
        {
          rows: [
            '{ irq:         54 } hitcount:        900',
            '{ irq:         56 } hitcount:         80',
            '{ irq:         53 } hitcount:          7',
            '{ irq:         61 } hitcount:          5',
            '{ irq:       9999 } hitcount:          2',
          ],
        },
      ],
      'xen_exporter/xen_exporter_eoi': [
        {
          rows: [
            '{ irq:         53, flags:          0 } hitcount:        300',
            '{ irq:         53, flags:          1 } hitcount:          4',
          ],
        },
      ],
    });
    await watchOnce();
    const samples = (await page()).samples('xen_event_channel_sends_total');
    expect(samples.map(({ labels, value }) => [...Object.values(labels), value])).toEqual([
      ['', 'other', '', '', 2],
      ['domu1', 'netback', '0', '0', 907],
      ['domu1', 'netback', '0', '1', 80],
      ['domu2', 'netback', '0', '0', 5],
    ]);
    const eois = { domain: 'domu1', source: 'netback', vif: '0', queue: '0' };
    expect((await page()).value('xen_event_channel_late_eois_total', { ...eois, result: 'work' })).toBe(300);
    expect((await page()).value('xen_event_channel_late_eois_total', { ...eois, result: 'spurious' })).toBe(4);
  });

  test('a guest that is gone has no series, and goes on when it is back', async () => {
    const listed = readFileSync(tree.path('commands/xl list -v'), 'utf8');
    create({ sets: 'events' });
    const send = (): void => atTheEnd({ 'xen_exporter/xen_exporter_send': [{ rows: ['{ irq: 54 } hitcount: 10'] }] });
    send();
    await watchOnce();
    const sends = async () =>
      (await page()).value('xen_event_channel_sends_total', {
        domain: 'domu1',
        source: 'netback',
        vif: '0',
        queue: '',
      });
    expect(await sends()).toBe(10);
    tree.write({ 'commands/xl list -v': listed.replace(/^domu1 .*\n/m, '') });
    tracefs.tables.clear();
    send();
    await watchOnce();
    expect(await sends()).toBeUndefined();
    tree.write({ 'commands/xl list -v': listed });
    tracefs.tables.clear();
    await watchOnce();
    expect(await sends()).toBe(20);
  });
});

describe('waits for accept()', () => {
  const ns = (exponent: number, count: number): string =>
    `{ ns: ~ 2^${exponent} } hitcount: ${count}  ns: ${count * 2 ** exponent}`;
  const returned = (count: number): TableContent => ({ rows: [`{ newsk: 18446613387480000000 } hitcount: ${count}`] });
  const opens = (passiveOpens: number, cookies = 0): void =>
    void tree.write({
      'proc/net/snmp': `Tcp: PassiveOpens\nTcp: ${passiveOpens}\n`,
      'proc/net/netstat': `TcpExt: SyncookiesRecv\nTcpExt: ${cookies}\n`,
    });
  const counted = async (): Promise<Record<string, number | undefined>> => {
    const exposition = await page();
    return {
      waits: exposition.value('xen_accept_wait_seconds_count'),
      unmatched: exposition.value('xen_accept_wait_unmatched_total'),
      opens: exposition.value('xen_accept_probe_passive_opens_total'),
    };
  };

  beforeEach(() => {
    create({ sets: 'accept' });
    opens(1000);
  });

  /** A window with these connections. `added` counts those that reach the second function. */
  const watch = async (spec: {
    queued: number;
    added: number;
    addHits: number;
    accepted: number;
    cookies?: number;
  }) => {
    const { queued, added, addHits, accepted, cookies = 0 } = spec;
    atTheEnd(
      {
        'synthetic/xen_exporter_queue_time': [{ rows: [ns(20, queued)] }],
        'synthetic/xen_exporter_add_time': [{ rows: added === 0 ? [] : [ns(25, added)] }],
        'xen_exporter/xen_exporter_accept': [returned(accepted), returned(accepted)],
      },
      { queue: [queued, 0], add: [addHits, 0], accept: [accepted, 0] },
    );
    const onRead = tracefs.onRead;
    tracefs.onRead = (name) => {
      onRead(name);
      if (tracefs.tables.size > 0) opens(1000 + queued + cookies, cookies);
    };
    expect(await watchOnce()).toEqual([]);
  };

  test('of connections as usual', async () => {
    await watch({ queued: 300, added: 0, addHits: 0, accepted: 310 });
    expect(await counted()).toEqual({ waits: 300, unmatched: 10, opens: 300 });
    const exposition = await page();
    expect(exposition.value('xen_accept_wait_seconds_bucket', { le: '0.000524288' })).toBe(0);
    expect(exposition.value('xen_accept_wait_seconds_bucket', { le: '0.001048576' })).toBe(300);
    expect(exposition.value('xen_accept_wait_seconds_sum')).toBeCloseTo(300 * 0.001048576, 12);
  });

  test('of those that SYN cookies made, which come another way', async () => {
    await watch({ queued: 100, added: 400, addHits: 400, accepted: 500, cookies: 400 });
    expect(await counted()).toEqual({ waits: 500, unmatched: 0, opens: 500 });
  });

  test('where all come both ways, each counts once', async () => {
    await watch({ queued: 300, added: 300, addHits: 300, accepted: 300 });
    expect(await counted()).toEqual({ waits: 300, unmatched: 0, opens: 300 });
    expect((await page()).value('xen_accept_wait_seconds_bucket', { le: '0.001048576' })).toBe(0);
  });

  test('a kernel in which no probe is on the way: absent, and why', async () => {
    await watch({ queued: 0, added: 0, addHits: 0, accepted: 25 });
    expect(collector.availability()).toBe(true);
    tracefs.tables.clear();
    opens(1000);
    atTheEnd({ 'xen_exporter/xen_exporter_accept': [returned(25), returned(25)] });
    const onRead = tracefs.onRead;
    tracefs.onRead = (name) => {
      onRead(name);
      if (tracefs.tables.size > 0) opens(1025);
    };
    await watchOnce();
    expect(whyAbsent(collector)).toBe(
      'accept: TCP made 25 connections without a hit of a probe: this kernel inlines the probed functions',
    );
    expect(await page().then((each) => each.samples('xen_accept_wait_seconds_count'))).toEqual([]);
  });
});

describe('limits', () => {
  test('too many hits end the window, which counts as short; the log says so once', async () => {
    const log = recordingLog();
    collector = createCollector(probes, host, { window: 300, 'max-hits': 1000, 'cpu-budget': 1 }, { log });
    for (const _ of [1, 2]) {
      tracefs.profile.clear();
      let hits = 0;
      tracefs.onRead = (name) => {
        if (name === 'kprobe_profile') tracefs.profile.set('xen_exporter_send', [(hits += 10_000), 0]);
      };
      expect(await watchOnce()).toEqual([]);
    }
    expect(await windows()).toEqual({ complete: 0, short: 2, refused: 0, failed: 0 });
    const armed = (await page()).value('xen_exporter_probe_armed_seconds_total', { probes: 'events' })!;
    expect(armed).toBeGreaterThan(0.5);
    expect(armed).toBeLessThan(60);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatch(/^warn \| Disarmed probes because of too many hits \| \d+ \| 1000$/);
    expect([...tracefs.instances.get(own)!.values()].flat()).toEqual([]);
  });

  test('windows are further apart where they cost more than the budget', async () => {
    let cpuSeconds = 0;
    host = { ...host, clock: { ...systemClock, cpuSeconds: () => (cpuSeconds += 0.001) } };
    create({ sets: 'accept', always: true, 'cpu-budget': 0.01 });
    const begin = performance.now();
    await watchOnce();
    // Arming and reading took a millisecond each.
    expect(performance.now() - begin).toBeGreaterThan(0.9 * 200);
    expect((await page()).value('xen_exporter_probe_cpu_seconds_total')).toBeCloseTo(0.002, 9);
  });

  test('the probes of others count for nothing', async () => {
    create({ 'max-hits': 1 });
    await tracefs.append('kprobe_events', 'p:xe/xe_send notify_remote_via_irq');
    let hits = 0;
    tracefs.onRead = () => tracefs.profile.set('xe_send', [(hits += 10_000), 0]);
    await watchOnce();
    expect((await windows())['complete']).toBe(1);
  });
});

describe('where it cannot be', () => {
  const gone = (name: string): void => rmSync(tree.path(`sys/kernel/tracing/${name}`), { recursive: true });
  const why = (): string | undefined => {
    const availability = collector.availability();
    return availability === true ? undefined : availability.reason.replaceAll(tree.root, '');
  };

  test('no tracefs', () => {
    gone('');
    const expected = 'no tracefs at /sys/kernel/tracing (mount -t tracefs nodev /sys/kernel/tracing, or path.tracefs)';
    expect(why()).toBe(expected);
    mkdirSync(tree.path('sys/kernel/tracing'));
    expect(why()).toBe(expected);
  });

  test.each([
    ['kprobe_events', 'this kernel has no kprobe events (CONFIG_KPROBE_EVENTS)'],
    ['events/sched/sched_switch/hist', 'this kernel has no hist triggers (CONFIG_HIST_TRIGGERS)'],
    ['synthetic_events', 'this kernel has no synthetic events (CONFIG_SYNTH_EVENTS)'],
  ])('no %s', async (name, expected) => {
    gone(name);
    expect(why()).toBe(expected);
    expect(await watchOnce()).toEqual([]);
    expect(tracefs.written).toEqual([]);
  });

  test('a kernel that is locked down, or not root', async () => {
    tracefs.refusals.set('kprobe_events', 'EPERM');
    expect(await watchOnce()).toEqual([]);
    expect(why()).toBe(
      'probes need root and a kernel that is not locked down for confidentiality (/sys/kernel/tracing/kprobe_events: EPERM)',
    );
    expect(await collectText(collector, host)).toBe('');
    expect(tracefs.state).toEqual(nothing);
  });

  test('a function that is not there costs its set alone', async () => {
    tracefs.unknown.add('notify_remote_via_irq');
    expect(await watchOnce()).toEqual([]);
    expect(why()).toBeUndefined();
    expect(collector.limitations!()).toBe('events: notify_remote_via_irq cannot be probed (ENOENT)');
    const armed = (await page())
      .samples('xen_exporter_probe_armed_seconds_total')
      .map(({ labels }) => labels['probes']);
    expect(armed).toEqual(['grants', 'accept']);
  });

  test('one that only some connections come through costs these', async () => {
    tracefs.unknown.add('inet_csk_reqsk_queue_add');
    create({ sets: 'accept' });
    expect(await watchOnce()).toEqual([]);
    expect(collector.limitations!()).toBeUndefined();
    expect(tracefs.probes).toHaveLength(2);
    expect(tracefs.written.filter((line) => line.includes('add_time'))).toEqual([]);
  });

  test('a trigger that the kernel does not take costs its set, and says what is wrong', async () => {
    tracefs.refusals.set('hist:keys=irq,flags', 'EINVAL');
    tracefs.errorLog =
      "[ 1049.653517] hist:xe:accept_ret: error: Couldn't find field\n  Command: hist:keys=lat\n                ^\n";
    expect(await watchOnce()).toEqual([]);
    expect(collector.limitations!()).toBe(
      'events: the kernel refuses "hist:keys=irq,flags:vals=hitcount:size=4096" for xen_exporter/xen_exporter_eoi (Couldn\'t find field)',
    );
    expect([...tracefs.instances.get(own)!.values()].flat()).toEqual([]);
  });

  test('where every set has a trigger that is refused, nothing stays armed', async () => {
    create({ sets: 'events' });
    tracefs.refusals.set('hist:keys=irq,flags', 'EINVAL');
    expect(await watchOnce()).toEqual([]);
    expect(why()).toContain('events: the kernel refuses "hist:keys=irq,flags');
    expect([...tracefs.instances.get(own)!.values()].flat()).toEqual([]);
  });

  test('not on Xen: accept alone; nothing where accept is not wanted', async () => {
    rmSync(tree.path('sys/hypervisor'), { recursive: true });
    create();
    await watchOnce();
    expect(why()).toBeUndefined();
    expect(tracefs.instances.get(own)!.get('xen_exporter/xen_exporter_send')).toEqual([]);
    const armed = (await page())
      .samples('xen_exporter_probe_armed_seconds_total')
      .map(({ labels }) => labels['probes']);
    expect(armed).toEqual(['accept']);
    create({ sets: 'grants,events' });
    expect(why()).toMatch(/^grants: this kernel does not run on Xen .*; events: this kernel does not run on Xen /);
  });
});
