import { inNamespace as inNamespaceTemplate, type Alert, type Severity } from '../../src/pack/alerts/alert.ts';
import { alertNamed, alerts } from '../../src/pack/alerts/alerts.ts';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { inWords, Promql } from '../../src/pack/promql.ts';
import { atInterval, scrapeIntervalOr, scrapesOf } from './scrape-interval.ts';

const uuid = '6c9ee902-e8b7-484d-b5a1-502d89e835de';
const job = 'xen';
const dom0 = 'dom0:28697';
const guest = 'web:28697';
const domain = 'web';

/** Series by name and labels: a gauge's value, or a counter's growth per minute. */
export type Series = Readonly<Record<string, number | string>>;

const series = (instance: string, labels: string, all: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(all).map(([name, value]) => {
      const [, metric, own = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(name)!;
      const role = instance === dom0 ? 'xen_role="host"' : '';
      const inside = [`job="${job}"`, `instance="${instance}"`, role, labels, own].filter(Boolean).join(',');
      return [`${metric}{${inside}}`, value];
    }),
  );

/** Series of the guest's exporter. */
export const ofGuest = (all: Readonly<Record<string, number>>) => series(guest, '', all);
/** Series of its listener on port 80. */
export const ofListener = (all: Readonly<Record<string, number>>) =>
  series(guest, 'address="0.0.0.0",port="80",family="ipv4"', all);
/** Series of Dom0's exporter about the guest. */
export const ofDomain = (all: Readonly<Record<string, number>>) => series(dom0, `domain="${domain}"`, all);
/** Series of Dom0's exporter about its vif. */
export const ofVif = (all: Readonly<Record<string, number>>) => series(dom0, `domain="${domain}",vif="0"`, all);
/** Series of Dom0's exporter about the host. */
export const ofDom0 = (all: Readonly<Record<string, number>>) => series(dom0, '', all);

/** A guest with two vCPUs under sound load, and its host. */
export const sound: Series = {
  ...ofGuest({
    up: 1,
    [`xen_guest_info{uuid="${uuid}",type="pv",role="guest"}`]: 1,
    xen_tcp_passive_opens_total: 6000,
    xen_tcp_listen_overflows_total: 0,
    xen_tcp_syn_queue_full_drops_total: 0,
    xen_tcp_syn_queue_full_cookies_total: 0,
    xen_tcp_syn_retransmits_total: 1,
    'xen_cpu_seconds_total{cpu="0",mode="user"}': 20,
    'xen_cpu_seconds_total{cpu="0",mode="softirq"}': 5,
    'xen_cpu_seconds_total{cpu="0",mode="steal"}': 1,
    'xen_cpu_seconds_total{cpu="0",mode="idle"}': 34,
    'xen_cpu_seconds_total{cpu="1",mode="user"}': 20,
    'xen_cpu_seconds_total{cpu="1",mode="softirq"}': 5,
    'xen_cpu_seconds_total{cpu="1",mode="steal"}': 1,
    'xen_cpu_seconds_total{cpu="1",mode="idle"}': 34,
    'xen_softnet_processed_packets_total{cpu="0"}': 30_000,
    'xen_softnet_processed_packets_total{cpu="1"}': 30_000,
    'xen_netfront_interrupts_total{vif="0",queue="0",ring="rx"}': 30_000,
    'xen_netfront_interrupts_total{vif="0",queue="1",ring="rx"}': 30_000,
    'xen_netfront_receive_packets_total{vif="0"}': 90_000,
    'xen_exporter_collector_success{collector="listeners"}': 1,
    'xen_exporter_collector_available{collector="listeners"}': 1,
  }),
  ...ofListener({
    'xen_listener_info{service="nginx.service"}': 1,
    xen_listener_sockets: 1,
    xen_listener_accept_queue_limit: 4096,
    xen_listener_accept_queue_max_fill_ratio: 0.1,
    xen_listener_accept_queue_full_seconds_total: 0,
    xen_listener_accept_queue_connection_seconds_total: 30,
    xen_listener_accept_queue_dequeued_total: 3000,
    'xen_listener_accept_queue_fill_ratio_bucket{le="0.75"}': 1200,
    xen_listener_accept_queue_fill_ratio_count: 1200,
  }),
  ...ofDom0({
    up: 1,
    'xen_guest_info{uuid="00000000-0000-0000-0000-000000000000",type="pv",role="dom0"}': 1,
    'xen_cpu_seconds_total{cpu="0",mode="system"}': 30,
    'xen_cpu_seconds_total{cpu="0",mode="steal"}': 2,
    'xen_cpu_seconds_total{cpu="0",mode="idle"}': 28,
    'xen_uplink_receive_missed_total{device="eth0"}': 0,
    xen_conntrack_drops_total: 0,
    'xen_exporter_collector_success{collector="domains"}': 1,
    'xen_exporter_collector_available{collector="domains"}': 1,
  }),
  ...ofDomain({
    [`xen_domain_info{domid="1",uuid="${uuid}",type="pv",pool="Pool-0"}`]: 1,
    'xen_domain_state{state="paused"}': 0,
    xen_domain_cpu_seconds_total: 50,
    'xen_domain_vcpu_observations_total{state="running"}': 12,
    'xen_domain_vcpu_observations_total{state="blocked"}': 11,
    'xen_domain_vcpu_observations_total{state="runnable"}': 1,
    xen_domain_grant_frames: 10,
    xen_domain_grant_frames_limit: 64,
    'xen_backend_events_total{class="vif",device="0"}': 60_000,
    'xen_backend_eoi_delay_seconds_total{class="vif",device="0"}': 0,
  }),
  ...ofVif({
    xen_vif_connected: 1,
    xen_vif_receive_packets_total: 90_000,
    'xen_vif_receive_dropped_packets_total{reason="refused"}': 0,
    'xen_vif_receive_dropped_packets_total{reason="expired"}': 0,
    xen_vif_qdisc_drops_total: 0,
    'xen_netback_cpu_seconds_total{}': 12,
    'xen_netback_thread_cpu_seconds_total{queue="",thread="guest-rx"}': 20,
    'xen_netback_thread_runqueue_wait_seconds_total{queue="",thread="guest-rx"}': 2,
    'xen_netback_ring_consumed_slots_total{queue="",ring="rx"}': 90_000,
    'xen_netback_ring_consumed_slots_total{queue="",ring="tx"}': 90_000,
    'xen_netback_rx_empty_seconds_total{queue=""}': 0,
    'xen_netback_guest_queue_full_seconds_total{queue=""}': 0,
    'xen_netback_tx_waiting_seconds_total{queue=""}': 1,
    'xen_netback_rate_limited_seconds_total{queue=""}': 0,
  }),
  ...ofDom0({ 'xen_domain_info{domain="Domain-0",domid="0",uuid="",type="pv",pool="Pool-0"}': 1 }),
};

/** An expected alert, with the value in its description. */
export interface Expected {
  alert: string;
  value: string;
  /** Default: the alert's own severity. */
  severity?: Severity;
  labels?: Record<string, string>;
  /**
   * For a symptom: its strongest causes in order, such as `XenVcpuStarved (38 % of wanted CPU time is stolen, limit 30
   * %)`.
   */
  causes?: readonly string[];
  /** For an overflow: the listener's service; empty if the text has none. */
  service?: string;
  /** For an overflow: connection attempts per minute. */
  attempts?: { dropped: number; accepted: number };
  /** For an alert about a guest: the number of its host's guests that suffer, and of all its guests. */
  scope?: readonly [some: number, all: number];
  /** For an alert about a host: names of the guests that it harms. */
  guests?: readonly string[];
  /** For a changed cause: the cause before. */
  before?: string;
}

/** Scenarios are written by the minute, and scraped at SCRAPE_INTERVAL. */
export const scrapeSeconds = scrapeIntervalOr(60);
const scrapesPerMinute = 60 / scrapeSeconds;

/** Minutes: more than an hour, for comparisons with an hour ago. */
const steps = 100;
export const isCounter = (name: string): boolean => /_(total|bucket|count|sum)\{/.test(name);

/** promtool's `input_series`. Strings are in promtool's own notation, by the minute. */
const inputOf = (all: Series) =>
  Object.entries(all).map(([name, value]) => {
    const growth = isCounter(name) ? `0+${Number(value) / scrapesPerMinute}` : String(value);
    return {
      series: name,
      values:
        typeof value === 'string'
          ? atInterval(scrapesOf(value), { from: 60, to: scrapeSeconds, isCounter: isCounter(name) }).join(' ')
          : `${growth}x${steps * scrapesPerMinute}`,
    };
  });

const labelsOf = ({ about, kind, levels: [{ severity }] }: Alert, expected: Expected): Record<string, string> => {
  const identity: Record<string, string> =
    about === 'guest' ? { uuid, domain, host: dom0 } : about === 'host' ? { instance: dom0, host: dom0 } : { job };
  const labels = { severity: expected.severity ?? severity, kind, ...identity, ...expected.labels };
  // Empty labels are absent.
  return Object.fromEntries(Object.entries<string>(labels).filter(([, value]) => value !== ''));
};

const machine = /^(dom0|guest)# /;

/** Fills in a Prometheus template without queries. */
const filled = (template: string, labels: Readonly<Record<string, string>>, value = ''): string =>
  template
    .replace(
      /\{\{ if match `([^`]*)` \$labels\.(\w+) \}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}/g,
      (_, pattern: string, label: string, literal: string, otherwise: string) =>
        new RegExp(pattern).test(labels[label] ?? '') ? literal : otherwise,
    )
    .replace(/\{\{ if \$labels\.(\w+) \}\}(.*?)\{\{ end \}\}/g, (_, label: string, ifAny: string) =>
      (labels[label] ?? '') === '' ? '' : ifAny,
    )
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? '')
    .replace(/\{\{ \$value[^}]*\}\}/g, value);

/** PromQL of rules at a scrape interval, for its windows. */
const promqlAt = (scrapeIntervalSeconds: number): Promql =>
  new Promql({ ...defaultPackOptions, scrapeIntervalSeconds, thresholdOf: () => NaN });

type Labels = Readonly<Record<string, string>>;

const inNamespace = (labels: Labels): string => filled(inNamespaceTemplate, labels);
const nameOf = ({ host = '' }: Labels): string => host.replace(/:\d+$/, '');

/** A symptom's text about the harm: a title, and its first sentences. */
type Harm = (expected: Expected, labels: Labels, p: Promql) => [title: string, description: string];

const harm: Readonly<Record<string, Harm>> = {
  XenAcceptQueueOverflow: (
    { value, service = 'nginx.service', attempts = { dropped: 60, accepted: 6000 } },
    labels,
    p,
  ) => {
    const minutes = Number.parseInt(p.recentWindow, 10);
    return [
      'refuses connections',
      `The accept queue of port 80${service && ` (${service})`} of ${labels['domain']}${inNamespace(labels)} was full for ${value} of the last ${inWords(p.recentWindow)}. Connection attempts dropped: ${attempts.dropped * minutes}, accepted: ${attempts.accepted * minutes}.`,
    ];
  },
  XenAcceptQueueNearlyFull: ({ value }, labels, p) => [
    'will soon refuse connections',
    `An accept queue of ${labels['domain']}${inNamespace(labels)} was over three quarters full in ${value} of all samples of the last ${inWords(p.rateWindow)}.`,
  ],
  XenAcceptThroughputCollapse: ({ value }, labels, p) => [
    'loses connections',
    `In the last ${inWords(p.window(120))} ${labels['domain']} accepted ${value} fewer connections than an hour ago, while connections or packets are lost. Demand has not fallen; fewer connections get through.`,
  ],
  XenHostHarmsGuests: ({ guests = [], scope = [0, 0] }) => [
    `harms ${scope[0]} of its ${scope[1]} guests`,
    `Guests that refuse or lose connections: ${guests.join(', ')}. This alert mutes the pages about them.`,
  ],
  XenGuestHarmedByHost: (_, labels) => [
    'is harmed by its host',
    `XenHostHarmsGuests covers ${labels['domain']} and the other guests that its host harms.`,
  ],
  XenCauseChanged: ({ before = '' }, labels) => [
    'now suffers from another cause',
    `The strongest cause of the trouble of ${labels['domain']} has changed. Before, it was ${before}.`,
  ],
};

const subject = (alert: Alert, labels: Labels): string => {
  if (alert.about === 'host') return nameOf(labels);
  // A title has the first 24 characters of the name.
  const netns = inNamespace(labels).replace(labels['netns'] ?? '', (name) => name.slice(0, 24));
  return `${labels['domain']}${netns}${labels['host'] === 'unknown' ? '' : ` on ${nameOf(labels)}`}`;
};

/** The machine on which to type a command. */
const runOn = (command: string, labels: Labels): string => {
  switch (machine.exec(command)?.[1]) {
    case 'dom0':
      return (labels['host'] ?? 'unknown') === 'unknown' ? 'the host' : `host ${nameOf(labels)}`;
    case 'guest':
      return `guest ${labels['domain']}`;
    default:
      return 'the host of Prometheus';
  }
};

const ofSymptom = (alert: Alert, expected: Expected, labels: Labels, p: Promql): Record<string, string> => {
  const { causes = [], scope = [alert.levels[0].severity === 'critical' ? 1 : 0, 1] } = expected;
  const [title, description] = harm[alert.name]!(expected, labels, p);
  const [name] = causes.map((text) => text.replace(/ \(.*/, ''));
  const cause = name === undefined ? undefined : alertNamed(name);
  return {
    summary: `${subject(alert, labels)} ${title}: ${name ?? 'no cause found'}`,
    description: [
      description,
      ...(causes.length === 0 ? ['No hop of the accept path is over its threshold.'] : []),
      ...causes.slice(0, 2).map((text, rank) => `${rank === 0 ? 'Cause' : 'Next'}: ${text}.`),
      ...(alert.about === 'guest' && labels['host'] !== 'unknown'
        ? [`Guests of this host that refuse or lose connections: ${scope[0]} of ${scope[1]}.`]
        : []),
    ].join(' '),
    cause: name ?? '',
    hop: (cause ?? alert).hop,
    cause_runbook_url: name === undefined ? '' : `${defaultPackOptions.runbookUrl}${name}.md`,
    command: filled((cause ?? alert).command.replace(machine, ''), labels),
    run_on: runOn((cause ?? alert).command, labels),
  };
};

/** Annotations of an alert of the pack after Prometheus has filled them in. */
export const annotationsOf = (
  alert: Alert,
  expected: Expected,
  labels: Labels,
  scrapeIntervalSeconds = scrapeSeconds,
): Record<string, string> => {
  const p = promqlAt(scrapeIntervalSeconds);
  const { runbookUrl, grafanaUrl } = defaultPackOptions;
  const level = alert.levels.find(({ severity }) => severity === expected.severity);
  const dashboard = {
    guest: `xen-guest?var-guest=${labels['uuid']}`,
    host: `xen-dom0?var-host=${labels['instance']}`,
    exporter: `xen-exporter?var-instance=${labels['instance']}`,
    rules: 'xen-exporter?var-instance=$__all',
  };
  const description = level?.description ?? alert.description;
  return {
    ...(alert.kind === 'symptom'
      ? ofSymptom(alert, expected, labels, p)
      : {
          summary: filled(alert.summary, labels),
          description: filled(typeof description === 'string' ? description : description(p), labels, expected.value),
          hop: alert.hop,
          command: filled(alert.command.replace(machine, ''), labels),
          run_on: runOn(alert.command, labels),
        }),
    runbook_url: `${runbookUrl}${alert.name}.md`,
    dashboard_url: `${grafanaUrl}d/${dashboard[alert.about]}`,
  };
};

/** Late if the scenario changes in between, otherwise when the slowest alert has fired. */
const lastMinute = (all: Series): number =>
  Object.values(all).every((value) => typeof value === 'number') ? 25 : steps - 5;

interface AlertTest {
  eval_time: string;
  alertname: string;
  exp_alerts: object[];
}

/** A test group of promtool. */
export interface PromtoolTest {
  interval: string;
  input_series: { series: string; values: string }[];
  alert_rule_test?: AlertTest[];
  promql_expr_test?: object[];
}

/** All alerts but the watchdog, which always fires. */
export const aboutSomething = alerts.filter(({ about }) => about !== 'rules');

/** A promtool test: with these series exactly those alerts fire at that minute, with all labels and annotations. */
export const promtoolTest = (all: Series, expected: readonly Expected[], minute = lastMinute(all)) => ({
  interval: `${scrapeSeconds}s`,
  input_series: inputOf(all),
  alert_rule_test: aboutSomething.map((alert) => ({
    eval_time: `${minute}m`,
    alertname: alert.name,
    exp_alerts: expected
      .filter((each) => each.alert === alert.name)
      .map((each) => {
        const labels = labelsOf(alert, each);
        return { exp_labels: labels, exp_annotations: annotationsOf(alert, each, labels) };
      }),
  })),
});

/** Uuid of the guest with this number. */
export const uuidOf = (number: number): string => `${String(number).padStart(8, '0')}${uuid.slice(8)}`;

/** The series of a guest and its host, renamed to the guest with this number on the same host. */
export const asGuest = (number: number, all: Series): Series =>
  Object.fromEntries(
    Object.entries(all)
      .filter(([name]) => name.includes(`instance="${guest}"`) || name.includes(`domain="${domain}"`))
      .map(([name, value]) => [
        name
          .replaceAll(guest, `${number}.${guest}`)
          .replaceAll(`domain="${domain}"`, `domain="${domain}${number}"`)
          .replaceAll(uuid, uuidOf(number)),
        value,
      ]),
  );

/** Labels of an alert about such a guest. */
export const labelsOfGuest = (number: number) => ({ uuid: uuidOf(number), domain: `${domain}${number}` });

/** The scenario on its own host with this number, with its own guests. */
export const onHost = (scenario: PromtoolTest, number: number): PromtoolTest =>
  JSON.parse(
    JSON.stringify(scenario)
      .replaceAll(dom0, `dom0-${number}:28697`)
      .replaceAll(guest, `web-${number}:28697`)
      // Texts name the host without its port.
      .replaceAll(/(?<=\b(?:on|host) |")dom0(?=[ "])/g, `dom0-${number}`)
      // Matches any guest.
      .replaceAll(uuid.slice(8), `${uuid.slice(8, -4)}${String(number).padStart(4, '0')}`),
  ) as PromtoolTest;
