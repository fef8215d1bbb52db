import { expect, test } from 'vitest';
import { compiledPack, type CompiledPack } from '../../src/diagnosis/compiled-pack.ts';
import type { Target } from '../../src/diagnosis/target.ts';
import type { GuestVerdict, Verdict } from '../../src/diagnosis/verdict.ts';
import { Watch } from '../../src/diagnosis/watch.ts';
import { alertNamed } from '../../src/pack/alerts/alerts.ts';
import { parseRule, type RuleText } from '../../src/promql/parse.ts';

const { rules, measures } = await compiledPack();

const dom0: Target = { instance: 'dom0:1', isHost: true };
const guest1: Target = { instance: 'guest1:1', isHost: false };
const guest2: Target = { instance: 'guest2:1', isHost: false };

/** A rule that takes its rows from a metric of pages. */
const row = (record: string, metric: string, by: string): RuleText => ({ record, expr: `max by (${by}) (${metric})` });
const alertRule = (name: string, severity: string): RuleText => {
  const { kind, about } = alertNamed(name);
  const by = about === 'guest' ? 'uuid, netns, domain, host' : 'instance, job, host';
  return { alert: name, expr: `max by (${by}) (${name})`, labels: { severity, kind } };
};

const rowsOfPages: CompiledPack = {
  rules: [
    row('uuid:xen_guest_identity:info', 'identity', 'uuid, domain, host'),
    row('instance:xen_guest_uuid:info', 'speaks', 'instance, uuid'),
    row('uuid_cause:xen_accept_path_cause_score:ratio', 'score', 'uuid, netns, cause, hop, level'),
    row('uuid_cause:xen_page_recent_cause_score:ratio', 'recent_score', 'uuid, cause, hop'),
    alertRule('XenAcceptQueueOverflow', 'critical'),
    alertRule('XenVcpuStarved', 'warning'),
    alertRule('XenDomainCapReached', 'info'),
    alertRule('XenDomainCapReached', 'warning'),
    alertRule('XenDom0Starved', 'warning'),
    alertRule('XenExporterCollectorFailing', 'warning'),
    alertRule('XenExporterInventoryStale', 'info'),
    alertRule('XenGuestHarmedByHost', 'info'),
  ].map(parseRule),
  measures,
};

/** The verdict of three looks at pages. */
const verdictOf = (pages: readonly (readonly [Target, string])[], pack: CompiledPack = rowsOfPages): Verdict => {
  const watch = new Watch(pack);
  for (const look of [0, 1, 2]) {
    const time = 1_800_000_000_000 + look * 10_000;
    for (const [target, page] of pages) watch.observe(target, page, time);
    watch.step(time);
  }
  return watch.verdict();
};

const identity = (number: number, domain = `domu${number}`, host = 'dom0:1'): string =>
  `identity{uuid="u${number}",domain="${domain}",host="${host}"} 1\n`;
const speaks = (number: number): string => `speaks{uuid="u${number}"} 1\n`;
const score = (number: number, cause: string, value: number, labels = ''): string =>
  `score{uuid="u${number}",cause="${cause}",hop="${alertNamed(cause).hop}"${labels}} ${value}\n`;
const fires = (name: string, number: number, value: number, labels = ''): string =>
  `${name}{uuid="u${number}",domain="domu${number}",host="dom0:1"${labels}} ${value}\n`;

const guestIn = ({ guests }: Verdict, name: string): GuestVerdict => guests.find((guest) => guest.name === name)!;

test('the guest in trouble stands first, with its symptom, its causes and their numbers', () => {
  const verdict = verdictOf([
    [
      dom0,
      identity(1) +
        identity(2) +
        fires('XenAcceptQueueOverflow', 2, 0.25) +
        fires('XenVcpuStarved', 2, 0.6) +
        score(2, 'XenVifDropping', 0.7) +
        score(2, 'XenVcpuStarved', 2),
    ],
    [guest2, speaks(2)],
  ]);
  expect(verdict.status).toBe('critical');
  expect(verdict.summary).toBe(
    'domu2 on dom0 refuses connections: XenVcpuStarved (60 % of wanted CPU time is stolen, limit 30 %).',
  );
  expect(verdict.guests.map(({ name, status, seenBy }) => [name, status, seenBy])).toEqual([
    ['domu2', 'critical', { guest: true, host: true }],
    ['domu1', 'ok', { guest: false, host: true }],
  ]);
  const { symptoms, causes } = verdict.guests[0]!;
  expect(symptoms).toEqual([
    {
      alert: 'XenAcceptQueueOverflow',
      title: 'domu2 on dom0 refuses connections',
      severity: 'critical',
      hop: 'accept queue',
      value: 0.25,
      threshold: 0.01,
      evidence: 'the accept queue was full for 25.0 % of the time, limit 1 %',
      labels: {},
      firstStep: { on: 'guest', command: 'ss -ltn' },
      runbook: 'XenAcceptQueueOverflow.md',
    },
  ]);
  expect(causes).toMatchObject([
    {
      alert: 'XenVcpuStarved',
      title: 'The vCPUs of domu2 wait for a physical CPU',
      severity: 'warning',
      value: 0.6,
      score: 2,
      evidence: '60 % of wanted CPU time is stolen, limit 30 %',
      firstStep: { on: 'dom0', command: 'xl vcpu-list' },
      mitigations: measures['XenVcpuStarved']!.mitigations,
    },
    { alert: 'XenVifDropping', score: 0.7 },
  ]);
});

test('a cause counts once, by its strongest measure, in the unit of that measure', () => {
  const { causes } = guestIn(
    verdictOf([
      [
        dom0,
        identity(1) +
          score(1, 'XenCreditExhaustion', 1.5) +
          score(1, 'XenCreditExhaustion', 3, ',level="info"') +
          score(1, 'XenVcpuStarved', 1.2) +
          'recent_score{uuid="u1",cause="XenVcpuStarved",hop="vCPU"} 2\n',
      ],
    ]),
    'domu1',
  );
  expect(causes.map(({ alert, severity, score: own, evidence }) => [alert, severity, own, evidence])).toEqual([
    ['XenCreditExhaustion', 'info', 3, 'a woken vCPU waits 30ms for a physical CPU, limit 10ms'],
    ['XenVcpuStarved', 'warning', 2, '60 % of wanted CPU time is stolen, limit 30 %'],
  ]);
});

test('hops have the status of what fires at them, and are unknown where nothing is exported', () => {
  const pages = [
    [
      dom0,
      identity(1) +
        fires('XenVcpuStarved', 1, 0.6) +
        score(1, 'XenVcpuStarved', 2) +
        score(1, 'XenVifDropping', 0.7) +
        'xen_vif_receive_packets_total 1\nxen_vif_connected 1\n',
    ],
  ] as const;
  const byHop = new Map(guestIn(verdictOf(pages), 'domu1').hops.map(({ hop, ...reading }) => [hop, reading]));
  expect([...byHop.keys()]).toEqual([
    'uplink',
    'vif',
    'netback',
    'grant table',
    'event channel',
    'Dom0 vCPU',
    'vCPU',
    'netfront',
    'SYN queue',
    'accept queue',
  ]);
  expect(byHop.get('vCPU')).toEqual({ status: 'warning', cause: 'XenVcpuStarved', score: 2 });
  expect(byHop.get('vif')).toEqual({ status: 'ok', cause: 'XenVifDropping', score: 0.7 });
  expect(byHop.get('SYN queue')).toEqual({ status: 'unknown' });
});

test('a host at a limit is reported once, and at the hop of each of its guests', () => {
  const verdict = verdictOf([
    [
      dom0,
      identity(1) +
        identity(2) +
        score(1, 'XenDom0Starved', 2) +
        score(2, 'XenDom0Starved', 2) +
        'XenDom0Starved{host="dom0:1"} 0.4\n',
    ],
  ]);
  expect(verdict.status).toBe('warning');
  expect(verdict.hosts).toMatchObject([
    {
      instance: 'dom0:1',
      status: 'warning',
      symptoms: [],
      causes: [
        {
          alert: 'XenDom0Starved',
          score: 2,
          title: 'Dom0 of dom0:1 waits for physical CPUs, and so do all its guests',
        },
      ],
    },
  ]);
  for (const { status, hops } of verdict.guests) {
    expect(status).toBe('ok');
    expect(hops.find(({ hop }) => hop === 'Dom0 vCPU')).toMatchObject({ status: 'warning', cause: 'XenDom0Starved' });
  }
});

test('alerts about exporters make a warning at most, and bookkeeping of pages is no finding', () => {
  const failing = 'XenExporterCollectorFailing{collector="xenbus"} 1\nXenExporterInventoryStale 3600\n';
  const verdict = verdictOf([
    [dom0, identity(1) + fires('XenGuestHarmedByHost', 1, 1)],
    [guest1, failing],
  ]);
  expect(verdict.status).toBe('warning');
  expect(verdict.exporters.map(({ alert, instance, severity }) => [alert, instance, severity])).toEqual([
    ['XenExporterCollectorFailing', 'guest1:1', 'warning'],
    ['XenExporterInventoryStale', 'guest1:1', 'info'],
  ]);
  expect(guestIn(verdict, 'domu1')).toMatchObject({ status: 'ok', symptoms: [] });
});

test.each([
  ['web-1.example', 'web-1.example'],
  ['$(reboot)', '<GUEST>'],
  ["it's", '<GUEST>'],
  ['-rf', '<GUEST>'],
  ['7', '<GUEST>'],
])('commands name a guest %s as %s', (domain, word) => {
  const page = identity(1, domain) + score(1, 'XenCreditExhaustion', 2) + score(1, 'XenNetbackRateLimited', 1.5);
  const { causes } = verdictOf([[dom0, page]]).guests[0]!;
  expect(causes[0]!.setUp[0]!.command).toContain(`G='${word}'; D=$(xl domid "$G")`);
  expect(causes[1]!.firstStep.command).toContain(`$(xl domid ${word})`);
});

test('a command for a network namespace of the guest enters it', () => {
  const fire = (netns: string): string =>
    verdictOf([[dom0, identity(1) + fires('XenAcceptQueueOverflow', 1, 1, `,netns="${netns}"`)]]).guests[0]!
      .symptoms[0]!.firstStep.command;
  expect(fire('blue')).toMatch(/^nsenter --net="\$\(ls -d \/run\/netns\/'blue' .*\)" ss -ltn$/);
  expect(fire('two words')).toBe('nsenter --net=<NAMESPACE> ss -ltn');
});

test('what cannot be seen has its reason', () => {
  const { unseen, status } = verdictOf([[guest1, identity(1, 'guest1:1', 'unknown') + speaks(1)]]);
  expect(status).toBe('ok');
  const whys = new Map(unseen.map(({ what, why }) => [what, why]));
  expect(whys.get('hops on the host')).toBe('no exporter of a Dom0 or driver domain was read');
  expect(whys.get('XenSynQueueOverflow for guest1:1')).toBe(
    'its exporters do not export xen_tcp_syn_queue_full_cookies_total',
  );
  // The line above has what its host would export.
  expect([...whys.keys()].filter((what) => what.startsWith('XenVif'))).toEqual([
    'XenVifInterruptsOnOneVcpu for guest1:1',
  ]);
});

test('guests without exporter are named, some by name', () => {
  const numbers = [1, 2, 3, 4, 5, 6, 7];
  const { unseen } = verdictOf([[dom0, numbers.map((number) => identity(number)).join('')]]);
  expect(unseen).toContainEqual({
    what: 'inside domu1, domu2, domu3, domu4, domu5 and 2 more',
    why: 'no exporter in this guest was read',
  });
});

test('alerts that compare with the past need it', () => {
  const { unseen } = verdictOf([[dom0, identity(1)]], { rules, measures });
  expect(unseen.filter(({ why }) => why.includes('ago'))).toEqual([
    { what: 'XenAcceptThroughputCollapse', why: 'it compares with 60 minutes ago, and the samples go back 20 s' },
  ]);
});

const uuid = '11111111-2222-4333-8444-555555555555';

test('two guests with one uuid are in conflict, and all else is reported', () => {
  const page = `xen_guest_info{role="guest",uuid="${uuid}"} 1\n`;
  const other = `xen_guest_info{role="guest",uuid="${uuid.replace('1', '2')}"} 1\n`;
  const verdict = verdictOf(
    [
      [guest1, page],
      [guest2, page],
      [{ instance: 'guest3:1', isHost: false }, other],
    ],
    { rules, measures },
  );
  expect(verdict.exporters.map(({ alert, instance }) => [alert, instance])).toEqual([
    ['XenGuestUuidConflict', 'guest1:1'],
    ['XenGuestUuidConflict', 'guest2:1'],
  ]);
  expect(verdict.guests.map(({ name }) => name)).toEqual(['guest3:1']);
});

test('a guest that claims to be a host is none', () => {
  const verdict = verdictOf([[guest1, `xen_domain_info{domain="domu9",uuid="${uuid}"} 1\n`]], { rules, measures });
  expect(verdict.guests).toEqual([]);
  expect(verdict.hosts).toEqual([]);
  expect(verdict.exporters.map(({ alert }) => alert)).toEqual(['XenHostNotMarked']);
});

test('a page cannot add rows to those of the rules, nor alerts', () => {
  const page =
    'uuid:xen_guest_identity:info{uuid="u9",domain="domu9",host="dom0:1"} 1\n' +
    'ALERTS{alertname="XenAcceptQueueOverflow",alertstate="firing",severity="critical",uuid="u1"} 1\n';
  const verdict = verdictOf([
    [dom0, identity(1)],
    [guest1, page],
  ]);
  expect(verdict.guests.map(({ name, status }) => [name, status])).toEqual([['domu1', 'ok']]);
});
