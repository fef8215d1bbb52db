import { ofDom0, ofGuest, type Expected, type Series } from './scenario.ts';

// Scenarios of the alerts about exporters, for rules.debian.test.ts.

const guest = { instance: 'web:28697', domain: 'web', host: 'dom0:28697' };
const host = { instance: 'dom0:28697', domain: 'Domain-0', host: 'dom0:28697' };

const day = 86_400;
/** Approximate seconds since 1970 at which promtool evaluates the rules. */
const now = 25 * 60;

/** A certificate of the guest's exporter: its lifetime and its remaining time in days. */
const certificate = (name: string, days: number, left: number): Series =>
  ofGuest({
    [`xen_exporter_web_certificate_start_timestamp_seconds{certificate="${name}"}`]: now - (days - left) * day,
    [`xen_exporter_web_certificate_expiry_timestamp_seconds{certificate="${name}"}`]: now + left * day,
  });

/** Dom0's inventory, read this many seconds before the scrape that serves it. */
const inventoryAge = (seconds: number, success = 1): Series =>
  ofDom0({
    'xen_exporter_collector_last_success_timestamp_seconds{collector="cpu"}': 1e9,
    'xen_exporter_collector_last_success_timestamp_seconds{collector="grants"}': 1e9 - 60,
    'xen_exporter_collector_last_success_timestamp_seconds{collector="scheduler"}': 1e9 - seconds,
    // Its windows may be as long as desired: it is not part of the inventory.
    'xen_exporter_collector_last_success_timestamp_seconds{collector="runstate"}': 1e9 - 7200,
    'xen_exporter_collector_success{collector="scheduler"}': success,
  });

/** Series that have disappeared. */
const gone = (all: Series, isMeant: (name: string) => boolean): Series =>
  Object.fromEntries(
    Object.keys(all)
      .filter(isMeant)
      .map((name) => [name, '_x100']),
  );
const isOfDevice = (name: string): boolean => /^xen_(vif|netback|backend)_/.test(name);
const isOfDomain = (name: string): boolean => name.startsWith('xen_domain_') || isOfDevice(name);

/** Dom0's page without domains, from a kernel with this role instead of dom0. */
const hostOf = (sound: Series, role: string, uuid = ''): Series => ({
  ...gone(sound, (name) => isOfDomain(name) || name.includes('role="dom0"')),
  ...ofDom0({ [`xen_guest_info{uuid="${uuid}",type="",role="${role}"}`]: 1 }),
});

/** The guest without its host. */
const nameless = { domain: '', host: '' };

export const firingOfExporters = (sound: Series): [what: string, change: Series, expected: Expected[]][] => [
  [
    'a Dom0 in which the exporter of guests runs',
    gone(sound, isOfDomain),
    [{ alert: 'XenHostWithoutDomains', value: '', labels: host }],
  ],
  [
    'a host that has booted without Xen',
    hostOf(sound, 'baremetal'),
    [{ alert: 'XenHostWithoutDomains', value: '', labels: { ...host, ...nameless } }],
  ],
  [
    'a helper that does not answer',
    ofDom0({ xen_exporter_helper_up: 0 }),
    [{ alert: 'XenExporterHelperDown', value: '', labels: host }],
  ],
  [
    'a certificate of a year with 29 days left',
    certificate('server', 365, 29),
    [{ alert: 'XenExporterCertificateExpiring', value: '92.05%', labels: { ...guest, certificate: 'server' } }],
  ],
  [
    'a certificate that has ended, of a client CA of ten years',
    certificate('client_ca', 3650, 0),
    [{ alert: 'XenExporterCertificateExpiring', value: '100%', labels: { ...guest, certificate: 'client_ca' } }],
  ],
  [
    'a web config file that is rejected',
    ofGuest({ xen_exporter_web_config_last_reload_successful: 0 }),
    [{ alert: 'XenExporterWebConfigRejected', value: '', labels: guest }],
  ],
  [
    'a collector that leaves out series',
    ofGuest({ 'xen_exporter_series_dropped_total{collector="listeners"}': 4 }),
    [{ alert: 'XenExporterSeriesDropped', value: '', labels: { ...guest, collector: 'listeners' } }],
  ],
  [
    'network namespaces that are not read',
    ofGuest({
      'xen_exporter_network_namespaces{state="read"}': 5,
      'xen_exporter_network_namespaces{state="unread"}': 1,
      'xen_exporter_network_namespaces{state="refused"}': 2,
    }),
    [{ alert: 'XenExporterNamespacesUnread', value: '3', labels: guest }],
  ],
  [
    'an inventory that is read once an hour',
    inventoryAge(3600),
    [{ alert: 'XenExporterInventoryStale', value: '1h 0m 0s', labels: host }],
  ],
  [
    'an inventory that cannot be read: a collector that fails, and no more',
    inventoryAge(3600, 0),
    [{ alert: 'XenExporterCollectorFailing', value: '', labels: { ...host, collector: 'scheduler' } }],
  ],
];

export const silentOfExporters = (sound: Series): [what: string, change: Series][] => [
  [
    'a driver domain, which exports no domains',
    {
      ...hostOf(sound, 'guest', '11111111-e8b7-484d-b5a1-502d89e835de'),
      ...Object.fromEntries(
        Object.entries(sound)
          .filter(([name]) => isOfDevice(name))
          .map(([name, value]) => [name.replace('domain="web"', 'domain="domid:7"'), value]),
      ),
    },
  ],
  ['a helper that answers', ofDom0({ xen_exporter_helper_up: 1 })],
  ['a certificate of a year with 31 days left', certificate('server', 365, 31)],
  ['a certificate of 90 days with ten left, which is renewed soon enough', certificate('server', 90, 10)],
  ['a certificate of a day, half of whose life is over', certificate('server', 1, 0.5)],
  ['a client CA of ten years with two months left', certificate('client_ca', 3650, 60)],
  ['a web config file in use', ofGuest({ xen_exporter_web_config_last_reload_successful: 1 })],
  ['a collector within its limit', ofGuest({ 'xen_exporter_series_dropped_total{collector="listeners"}': 0 })],
  [
    'a page that was over its limit for ten minutes',
    {
      'xen_exporter_series_dropped_total{job="xen",instance="web:28697",collector="listeners"}': '0x20 0+10x5 50x75',
    },
  ],
  [
    'network namespaces that are all read',
    ofGuest({
      'xen_exporter_network_namespaces{state="read"}': 5,
      'xen_exporter_network_namespaces{state="unread"}': 0,
      'xen_exporter_network_namespaces{state="refused"}': 0,
    }),
  ],
  ['an inventory of 29 minutes', inventoryAge(1740)],
];
