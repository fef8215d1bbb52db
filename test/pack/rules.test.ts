import { parser } from '@prometheus-io/lezer-promql';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { alerts } from '../../src/pack/alerts.ts';
import { defaultPackOptions, rulePack } from '../../src/pack/pack.ts';
import { toolSays } from '../support/debian.ts';
import {
  isCounter,
  ofDom0,
  ofDomain,
  ofGuest,
  ofListener,
  ofVif,
  promtoolTest,
  sound,
  type Expected,
  type Series,
} from './scenario.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rules-'));
  writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: rulePack(defaultPackOptions) }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const promtool = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await toolSays('promtool', args, folder);
  return stdout + stderr;
};

const verdict = async (name: string, tests: object[]): Promise<string> => {
  const file = join(folder, `${name.replaceAll(/\W/g, '-')}.test.yml`);
  writeFileSync(file, JSON.stringify({ rule_files: ['rules.yml'], evaluation_interval: '1m', tests }));
  return promtool('test', 'rules', file);
};

test('promtool has nothing to say', async () => {
  expect(await promtool('check', 'rules', 'rules.yml')).toMatch(/SUCCESS: \d+ rules found\s*$/);
});

test('names, severities and texts are as people expect them', () => {
  for (const { name, summary, threshold } of alerts) {
    expect(name).toMatch(/^Xen[A-Z][A-Za-z0-9]{1,36}$/);
    expect(summary.length, name).toBeLessThan(120);
    expect(threshold.why, name).toMatch(/\.$/);
  }
  expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length);
});

const overflow = {
  ...ofListener({ xen_listener_accept_queue_full_seconds_total: 30 }),
  ...ofGuest({ xen_tcp_listen_overflows_total: 60 }),
};
const starvedDom0 = ofDom0({
  'xen_cpu_seconds_total{cpu="0",mode="steal"}': 30,
  'xen_cpu_seconds_total{cpu="0",mode="idle"}': 0,
});
const paused = ofDomain({ 'xen_domain_state{state="paused"}': 1 });
const oneVcpu = ofGuest({ 'xen_cpu_events_total{cpu="1",source="netfront"}': 10 });
const oneBusyVcpu = ofGuest({
  'xen_cpu_seconds_total{cpu="0",mode="softirq"}': 50,
  'xen_cpu_seconds_total{cpu="0",mode="user"}': 5,
  'xen_cpu_seconds_total{cpu="0",mode="idle"}': 4,
});
const collapse = { [`xen_tcp_passive_opens_total{job="xen",instance="web:10911"}`]: '0+6000x59 360000+600x40' };
const contention = ofDomain({
  'xen_domain_vcpu_observations_total{state="runnable"}': 12,
  'xen_domain_vcpu_observations_total{state="blocked"}': 0,
});
const atCap = ofDomain({ xen_domain_cpu_seconds_total: 117 });
const ofGuestInfo = (values: string): Series => ({
  [Object.keys(sound).find((name) => name.startsWith('xen_guest_info{') && name.includes('role="guest"'))!]: values,
});
const connected = (values: string): Series => ({
  'xen_vif_connected{job="xen",instance="dom0:10911",domain="web",vif="0"}': values,
});

/** Changes to the sound guest, and what they fire. */
const firing: [what: string, change: Series, expected: Expected[]][] = [
  ['an accept queue that overflows', overflow, [{ alert: 'XenAcceptQueueOverflow', value: '50%' }]],
  [
    'an accept queue that is nearly full',
    ofListener({ 'xen_listener_accept_queue_fill_ratio_bucket{le="0.75"}': 600 }),
    [{ alert: 'XenAcceptQueueNearlyFull', value: '50%' }],
  ],
  [
    'accepts that collapse, with loss',
    { ...collapse, ...ofGuest({ xen_tcp_syn_retransmits_total: 60 }) },
    [{ alert: 'XenAcceptThroughputCollapse', value: '90%' }],
  ],
  [
    'a small backlog',
    ofListener({ xen_listener_accept_queue_limit: 128, xen_listener_accept_queue_full_seconds_total: 6 }),
    [{ alert: 'XenListenBacklogTooSmall', value: '10%' }],
  ],
  [
    'a small backlog that overflows: the symptom names it',
    {
      ...overflow,
      ...ofListener({ xen_listener_accept_queue_limit: 128, xen_listener_accept_queue_full_seconds_total: 6 }),
    },
    [
      {
        alert: 'XenAcceptQueueOverflow',
        value: '10%',
        cause: ` Strongest cause: XenListenBacklogTooSmall, 10 times its threshold, ${defaultPackOptions.runbookUrl}XenListenBacklogTooSmall.md`,
      },
      { alert: 'XenListenBacklogTooSmall', value: '10%' },
    ],
  ],
  [
    'a server that accepts nothing',
    ofListener({ xen_listener_accept_queue_full_seconds_total: 60, xen_listener_accept_queue_dequeued_total: 0 }),
    [{ alert: 'XenAcceptLoopStalled', value: '100%' }],
  ],
  [
    'a SYN queue that overflows',
    ofGuest({ xen_tcp_syn_queue_full_cookies_total: 60 }),
    [{ alert: 'XenSynQueueOverflow', value: '1' }],
  ],
  [
    'vCPUs from which time is stolen',
    ofGuest({ 'xen_cpu_seconds_total{cpu="0",mode="steal"}': 30, 'xen_cpu_seconds_total{cpu="0",mode="idle"}': 5 }),
    [{ alert: 'XenVcpuStarved', value: '38.27%' }],
  ],
  [
    'one vCPU that handles all interrupts',
    { ...oneVcpu, ...oneBusyVcpu },
    [{ alert: 'XenVifInterruptsOnOneVcpu', value: '83.33%' }],
  ],
  [
    'very many interrupts',
    ofGuest({
      'xen_netfront_interrupts_total{vif="0",queue="0",ring="rx"}': 1_500_000,
      'xen_netfront_interrupts_total{vif="0",queue="1",ring="rx"}': 1_500_000,
    }),
    [{ alert: 'XenEventChannelStorm', value: '25k' }],
  ],
  ['vCPUs that wait for a CPU', contention, [{ alert: 'XenCreditExhaustion', value: '50%' }]],
  [
    'vCPUs that wait because of their cap',
    { ...contention, ...atCap },
    [{ alert: 'XenDomainCapReached', value: '97.5%' }],
  ],
  ['a Dom0 that waits for CPUs', starvedDom0, [{ alert: 'XenDom0Starved', value: '50%' }]],
  [
    'spurious events',
    ofDomain({ 'xen_backend_eoi_delay_seconds_total{class="vif",device="0"}': 0.6 }),
    [{ alert: 'XenSpuriousEvents', value: '1%' }],
  ],
  [
    'a netback thread at its limit',
    ofVif({ 'xen_netback_thread_cpu_seconds_total{queue="",thread="guest-rx"}': 57 }),
    [{ alert: 'XenNetbackSaturated', value: '95%' }],
  ],
  [
    'a netback thread that only seems busy, for time stolen from Dom0 counts as its own',
    { ...starvedDom0, ...ofVif({ 'xen_netback_thread_cpu_seconds_total{queue="",thread="guest-rx"}': 57 }) },
    [{ alert: 'XenDom0Starved', value: '50%' }],
  ],
  [
    'a guest without receive buffers',
    ofVif({ 'xen_netback_rx_empty_seconds_total{queue=""}': 30 }),
    [{ alert: 'XenGuestNotDraining', value: '50%' }],
  ],
  [
    'a guest whose queue in netback is full',
    ofVif({ 'xen_netback_guest_queue_full_seconds_total{queue=""}': 24 }),
    [{ alert: 'XenGuestNotDraining', value: '40%' }],
  ],
  [
    'a rate limit',
    ofVif({ 'xen_netback_rate_limited_seconds_total{queue=""}': 30 }),
    [{ alert: 'XenNetbackRateLimited', value: '50%' }],
  ],
  [
    'very many slots',
    ofVif({ 'xen_netback_ring_consumed_slots_total{queue="",ring="rx"}': 36_000_000 }),
    [{ alert: 'XenGrantOperationsHigh', value: '601.5k' }],
  ],
  [
    'a full grant table',
    ofDomain({ xen_domain_grant_frames: 60 }),
    [{ alert: 'XenGrantFramesNearLimit', value: '93.75%' }],
  ],
  [
    'a vif that drops',
    ofVif({ 'xen_vif_receive_dropped_packets_total{reason="refused"}': 1800 }),
    [{ alert: 'XenVifDropping', value: '2%' }],
  ],
  ['a qdisc that drops', ofVif({ xen_vif_qdisc_drops_total: 4500 }), [{ alert: 'XenVifDropping', value: '5%' }]],
  ['a vif that was cut off', connected('1x50 0x50'), [{ alert: 'XenVifDisconnected', value: '' }]],
  [
    'a network card that loses packets',
    ofDom0({ 'xen_uplink_receive_missed_total{device="eth0"}': 600 }),
    [{ alert: 'XenUplinkDropping', value: '10' }],
  ],
  ['a full connection table', ofDom0({ xen_conntrack_drops_total: 300 }), [{ alert: 'XenUplinkDropping', value: '5' }]],
  [
    'an exporter that is down',
    ofGuest({ up: 0 }),
    [{ alert: 'XenExporterDown', value: '', labels: { instance: 'web:10911', domain: 'web', host: 'dom0:10911' } }],
  ],
  [
    'a collector that fails',
    ofDom0({ 'xen_exporter_collector_success{collector="domains"}': 0 }),
    [
      {
        alert: 'XenExporterCollectorFailing',
        value: '',
        labels: { instance: 'dom0:10911', collector: 'domains', domain: 'Domain-0', host: 'dom0:10911' },
      },
    ],
  ],
  ['a guest that had an exporter', ofGuestInfo('1x50 _x50'), [{ alert: 'XenGuestExporterMissing', value: '' }]],
];

/** What looks like trouble and is none. */
const silent: [what: string, change: Series][] = [
  ['a guest under sound load', {}],
  ['a full accept queue that refuses nobody', ofListener({ xen_listener_accept_queue_full_seconds_total: 30 })],
  [
    'overflows in a burst of milliseconds',
    { ...overflow, ...ofListener({ xen_listener_accept_queue_full_seconds_total: 0.3 }) },
  ],
  [
    'an accept queue that is sometimes nearly full',
    ofListener({ 'xen_listener_accept_queue_fill_ratio_bucket{le="0.75"}': 1000 }),
  ],
  [
    'a backlog of 8, which is three quarters full with seven connections',
    ofListener({ xen_listener_accept_queue_limit: 8, 'xen_listener_accept_queue_fill_ratio_bucket{le="0.75"}': 600 }),
  ],
  ['a nightly lull', collapse],
  ['a large backlog that is full now and then', ofListener({ xen_listener_accept_queue_full_seconds_total: 6 })],
  [
    'a very slow server that lives',
    ofListener({ xen_listener_accept_queue_full_seconds_total: 60, xen_listener_accept_queue_dequeued_total: 1 }),
  ],
  [
    'a SYN queue that is full because the accept queue is',
    {
      ...ofGuest({ xen_tcp_syn_queue_full_cookies_total: 60 }),
      ...ofListener({ xen_listener_accept_queue_full_seconds_total: 30 }),
    },
  ],
  [
    'steal from a guest that hardly wants to run',
    ofGuest({
      'xen_cpu_seconds_total{cpu="0",mode="user"}': 0.5,
      'xen_cpu_seconds_total{cpu="1",mode="user"}': 0.5,
      'xen_cpu_seconds_total{cpu="0",mode="softirq"}': 0,
      'xen_cpu_seconds_total{cpu="1",mode="softirq"}': 0,
      'xen_cpu_seconds_total{cpu="0",mode="idle"}': 58,
      'xen_cpu_seconds_total{cpu="1",mode="idle"}': 58,
    }),
  ],
  ['all interrupts on one vCPU that has time for them', oneVcpu],
  [
    'many interrupts',
    ofGuest({
      'xen_netfront_interrupts_total{vif="0",queue="0",ring="rx"}': 1_000_000,
      'xen_netfront_interrupts_total{vif="0",queue="1",ring="rx"}': 1_000_000,
    }),
  ],
  ['vCPUs that sometimes wait', ofDomain({ 'xen_domain_vcpu_observations_total{state="runnable"}': 4 })],
  ['a Dom0 that sometimes waits', ofDom0({ 'xen_cpu_seconds_total{cpu="0",mode="steal"}': 5 })],
  [
    'a paused guest',
    { ...paused, ...ofVif({ 'xen_netback_rx_empty_seconds_total{queue=""}': 60 }), ...connected('1x50 0x50') },
  ],
  ['a busy netback thread', ofVif({ 'xen_netback_thread_cpu_seconds_total{queue="",thread="guest-rx"}': 45 })],
  [
    'drops of a vif that is not connected',
    { ...connected('0x100'), ...ofVif({ 'xen_vif_receive_dropped_packets_total{reason="refused"}': 1800 }) },
  ],
  ['a guest that was never connected', connected('0x100')],
  ['a lost packet now and then', ofDom0({ 'xen_uplink_receive_missed_total{device="eth0"}': 30 })],
  [
    'a collector that does not exist here',
    ofDom0({
      'xen_exporter_collector_success{collector="domains"}': 0,
      'xen_exporter_collector_available{collector="domains"}': 0,
    }),
  ],
  ['a guest that never had an exporter', ofGuestInfo('_x100')],
];

describe('each alert fires, with all its labels and annotations, and no other does', () => {
  test.each(firing)('%s', async (what, change, expected) => {
    expect(await verdict(what, [promtoolTest({ ...sound, ...change }, expected)])).toContain('SUCCESS');
  });

  test('none is left out', () => {
    const fired = new Set(firing.flatMap(([, , expected]) => expected.map(({ alert }) => alert)));
    expect(alerts.map(({ name }) => name).filter((name) => !fired.has(name))).toEqual([]);
  });
});

describe('stays silent for', () => {
  test.each(silent)('%s', async (what, change) => {
    expect(await verdict(what, [promtoolTest({ ...sound, ...change }, [])])).toContain('SUCCESS');
  });
});

/** Names of the metrics that an expression selects. */
const selected = (expr: string): string[] => {
  const names: string[] = [];
  parser.parse(expr).iterate({
    enter: (node) => {
      if (node.type.isError) throw new Error(`no PromQL: ${expr}`);
      // The metric's name is the first thing in a selector.
      if (node.name === 'VectorSelector') names.push(/^[\w:]*/.exec(expr.slice(node.from, node.to))![0]);
    },
  });
  return names;
};

test('every metric that a rule names is one that an exporter, Prometheus or a rule before it has', () => {
  const known = new Set([
    ...registry.flatMap(({ metrics }) =>
      metrics.flatMap(({ name, type }) =>
        type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
      ),
    ),
    'xen_exporter_collector_success',
    'xen_exporter_collector_available',
    'up',
  ]);
  for (const { rules } of rulePack(defaultPackOptions)) {
    for (const rule of rules) {
      const names = selected(rule.expr);
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !known.has(name))).toEqual([]);
      if ('record' in rule) known.add(rule.record);
    }
  }
});

describe('who is who', () => {
  const scrapedFrom = (instance: string): Series =>
    Object.fromEntries(Object.entries(sound).filter(([name]) => name.includes(`instance="${instance}"`)));
  const another = (all: Series, from: string, to: string): Series =>
    Object.fromEntries(Object.entries(all).map(([name, value]) => [name.replaceAll(from, to), value]));

  test('a guest without the exporter of its host is known by its address', async () => {
    const expected = [
      { alert: 'XenAcceptQueueOverflow', value: '50%', labels: { domain: 'web:10911', host: 'unknown' } },
    ];
    expect(await verdict('cloud', [promtoolTest({ ...scrapedFrom('web:10911'), ...overflow }, expected)])).toContain(
      'SUCCESS',
    );
  });

  test('a host whose guests have no exporters: causes work, and nobody misses them', async () => {
    const expected = [{ alert: 'XenCreditExhaustion', value: '50%' }];
    expect(
      await verdict('bare host', [promtoolTest({ ...scrapedFrom('dom0:10911'), ...contention }, expected)]),
    ).toContain('SUCCESS');
  });

  test('an exporter that never said whose it is', async () => {
    const down: Series = { 'up{job="xen",instance="new:10911"}': 0 };
    const expected = [{ alert: 'XenExporterDown', value: '', labels: { instance: 'new:10911' } }];
    expect(await verdict('new', [promtoolTest({ ...sound, ...down }, expected)])).toContain('SUCCESS');
  });

  test('guests of the same name on two hosts', async () => {
    const uuid = '11111111-e8b7-484d-b5a1-502d89e835de';
    const other = another(
      another({ ...scrapedFrom('dom0:10911'), ...contention }, 'dom0:10911', 'dom1:10911'),
      '6c9ee902-e8b7-484d-b5a1-502d89e835de',
      uuid,
    );
    const expected = [{ alert: 'XenCreditExhaustion', value: '50%', labels: { uuid, host: 'dom1:10911' } }];
    expect(await verdict('two hosts', [promtoolTest({ ...sound, ...other }, expected)])).toContain('SUCCESS');
  });

  test('a guest that migrates while its alert fires, and is on both hosts for two minutes', async () => {
    const info = Object.keys(sound).find((name) => name.startsWith('xen_domain_info{'))!;
    const moved = {
      ...overflow,
      [info]: '1x52 _x48',
      [info.replace('dom0:10911', 'dom1:10911')]: '_x49 1x51',
    };
    const at = (minute: number, host: string) =>
      promtoolTest(
        { ...sound, ...moved },
        [{ alert: 'XenAcceptQueueOverflow', value: '50%', labels: { host } }],
        minute,
      );
    expect(await verdict('migration', [at(45, 'dom0:10911'), at(95, 'dom1:10911')])).toContain('SUCCESS');
  });

  test('an exporter that restarts: its counters begin at 0', async () => {
    const restarted = Object.fromEntries(
      Object.entries({ ...sound, ...overflow }).map(([name, value]) => [
        name,
        typeof value === 'number' && isCounter(name) ? `0+${value}x92 0+${value}x8` : value,
      ]),
    );
    // The minute before the restart is lost.
    const expected = [{ alert: 'XenAcceptQueueOverflow', value: '40%' }];
    expect(await verdict('restart', [promtoolTest(restarted, expected, 94)])).toContain('SUCCESS');
  });
});
