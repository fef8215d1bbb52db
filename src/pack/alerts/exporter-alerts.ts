import { promql } from '../promql.ts';
import { onHosts } from '../recording/identity.ts';
import { guestArgument, instanceArgument, type Alert } from './alert.ts';

/** Collectors that export toolstack readings taken by --toolstack.schedule. */
const ofInventory = 'collector=~"domains|scheduler|host|grants|passthrough"';
/** A ten-year certificate reaches its last tenth a year before it ends. */
const mostSecondsBeforeEnd = 30 * 86_400;
// These labels appear in notifications, and a guest controls its page.
const ofCertificates = 'certificate=~"server|client_ca"';
const ofCollectors = 'collector=~"[a-z0-9-]{1,40}"';

/** Alerts about the exporters: without them other alerts are blind. */
export const meta: readonly Alert[] = [
  {
    name: 'XenExporterDown',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0.5, why: 'Down or not.' },
      },
    ],
    measure: (p) => `1 - max by (job, instance) (${p.metric('up')})`,
    needs: ['up'],
    for: '5m',
    summary: 'The exporter on {{ $labels.instance }} cannot be scraped',
    description:
      'Prometheus cannot scrape {{ $labels.instance }}. This machine is unmonitored. If it is a Dom0, so is the host side of its guests.',
    command: `curl -sS http://${instanceArgument}/-/healthy`,
  },
  {
    name: 'XenExporterCollectorFailing',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0,
          why: 'The collector fails or it does not. A collector that does not apply to a machine does not fail.',
        },
      },
    ],
    measure: (p) =>
      `max by (job, instance, collector) (1 - (${p.recent('xen_exporter_collector_success', ofCollectors)} == 0))`,
    needs: ['xen_exporter_collector_success'],
    for: '15m',
    summary: 'The collector {{ $labels.collector }} fails on {{ $labels.instance }}',
    description:
      'The collector {{ $labels.collector }} on {{ $labels.instance }} keeps failing. Its log gives the reason. Alerts that need it are blind.',
    command: `curl -sS http://${instanceArgument}/metrics | grep -e collector_success -e collector_available`,
  },
  {
    name: 'XenGuestExporterMissing',
    kind: 'meta',
    hop: 'exporter',
    about: 'guest',
    levels: [
      {
        severity: 'info',
        threshold: {
          value: 0,
          why: 'The guest had an exporter within a day and has none now, while its host still runs it.',
        },
      },
    ],
    measure: (p) => promql`
      uuid:xen_guest_exporter:last_seen_timestamp_seconds < time() - 300
        and on (uuid) instance_domain:xen_domain_uuid:info
        unless on (uuid) count by (uuid) (
          instance:xen_guest_claim:info
            and on (uuid) uuid:xen_guest_conflict:count
            and on (instance) ${p.metric('up')} == 1
        ) > 1`,
    needs: ['xen_domain_info', 'xen_guest_info'],
    for: '15m',
    summary: 'The exporter in {{ $labels.domain }} is gone',
    description:
      '{{ $labels.domain }} runs and had an exporter within the last day, but has none now. Harm to its clients is not measured.',
    command: `dom0# xl list ${guestArgument}`,
  },
  {
    name: 'XenHostNotMarked',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.5,
          why: 'The target serves host metrics or it does not. Guests control their pages, so the rules trust only marked targets.',
        },
      },
    ],
    measure: (p) => promql`
      (
        group by (job, instance) (${p.recent('xen_domain_info')})
          or
        group by (job, instance) (${p.recent('xen_vif_connected')})
      )
        unless on (instance) instance:xen_host:info`,
    needs: ['xen_domain_info'],
    for: '5m',
    summary: '{{ $labels.instance }} serves host metrics, but Prometheus does not mark its target as a host',
    description:
      '{{ $labels.instance }} serves metrics of domains or vifs, which the rules ignore. If it is a Dom0 or a driver domain, add the target label xen_role: host to it in the scrape configuration. If it is a guest, it claims to be a host.',
    command: `curl -sS http://${instanceArgument}/metrics | grep -e ^xen_domain_info -e ^xen_vif_connected`,
  },
  {
    name: 'XenGuestUuidConflict',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 1,
          why: 'More than one exporter claims the uuid. An exporter that does not answer keeps its claim while Prometheus has its target.',
        },
      },
    ],
    measure: () => promql`
      instance:xen_guest_claim:info
        * on (uuid) group_left () uuid:xen_guest_conflict:count`,
    needs: ['xen_guest_info'],
    for: '2m',
    summary: '{{ $labels.instance }} claims a guest uuid that another exporter also claims',
    description:
      '{{ $value }} exporters, including {{ $labels.instance }}, claim to be the guest with the uuid {{ $labels.uuid }}. The rules trust none of them, so symptoms of this guest do not fire. Find the real guest and remove the other target.',
    command: 'dom0# xl list -v',
  },
  {
    name: 'XenHostWithoutDomains',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.5,
          why: 'The marked host exports domains or it does not. Driver domains are exempt. A failing collector fires XenExporterCollectorFailing instead.',
        },
      },
    ],
    measure: ({ ofHosts: p }) => promql`
      ${onHosts(`group by (job, instance) (${p.recent('xen_guest_info', 'role!="guest"')})`)}
        unless on (instance) ${p.recent('xen_domain_info')}
        unless on (instance) ${p.recent('xen_exporter_collector_success', 'collector="domains"')} == 0`,
    needs: ['xen_guest_info'],
    for: '10m',
    summary: '{{ $labels.instance }} is a host, but exports no domains',
    description:
      'Prometheus marks {{ $labels.instance }} as a host. It is not a driver domain, but its exporter exports no domain. Alerts about this host and the host side of its guests cannot fire. Perhaps the guest unit runs there, the collector domains is disabled, or the host booted without Xen.',
    command: "dom0# systemctl list-units --all --no-pager 'xen-exporter*'",
  },
  {
    name: 'XenExporterHelperDown',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [{ severity: 'warning', threshold: { value: 0.5, why: 'The helper answers or it does not.' } }],
    measure: (p) => `max by (job, instance) (1 - ${p.recent('xen_exporter_helper_up')})`,
    needs: ['xen_exporter_helper_up'],
    for: '5m',
    summary: 'The helper of the exporter on {{ $labels.instance }} does not answer',
    description:
      'xen-exporter-helper on {{ $labels.instance }} does not answer its exporter. Readings that need root are missing: domains, schedulers, grants and netback rings. Alerts that need it are blind.',
    command: 'dom0# systemctl status --no-pager xen-exporter-helper',
  },
  {
    name: 'XenExporterCertificateExpiring',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.9,
          why: 'Most tools renew a certificate after two thirds of its lifetime. With more than 30 days left it does not fire.',
        },
      },
    ],
    measure: (p) => {
      const start = p.recent('xen_exporter_web_certificate_start_timestamp_seconds', ofCertificates);
      const end = p.recent('xen_exporter_web_certificate_expiry_timestamp_seconds', ofCertificates);
      return promql`
        max by (job, instance, certificate) (
          (time() - ${start})
            / (${end} - ${start})
            and ${end} - time() < ${mostSecondsBeforeEnd}
        )`;
    },
    needs: [
      'xen_exporter_web_certificate_start_timestamp_seconds',
      'xen_exporter_web_certificate_expiry_timestamp_seconds',
    ],
    for: '15m',
    summary: 'A certificate of the exporter on {{ $labels.instance }} is about to expire: {{ $labels.certificate }}',
    description:
      '{{ $value | humanizePercentage }} of the lifetime of a certificate on {{ $labels.instance }} is over, and it expires in less than 30 days: {{ $labels.certificate }}. Once it has expired, Prometheus cannot scrape this exporter.',
    command: `openssl s_client -connect ${instanceArgument} </dev/null 2>/dev/null | openssl x509 -noout -dates || echo 'no TLS here'`,
  },
  {
    name: 'XenExporterWebConfigRejected',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0.5, why: 'The exporter uses the current file or it keeps an older one.' },
      },
    ],
    measure: (p) => `max by (job, instance) (1 - ${p.recent('xen_exporter_web_config_last_reload_successful')})`,
    needs: ['xen_exporter_web_config_last_reload_successful'],
    for: '15m',
    summary: 'The exporter on {{ $labels.instance }} does not use its web config file',
    description:
      'The exporter on {{ $labels.instance }} rejects its web config file or a certificate that the file names, and keeps the last good configuration. Later changes of users and certificates do not apply. Its next start will fail.',
    command: "dom0# journalctl --no-pager --unit='xen-exporter*' | sed -n '/Web config file/p' | tail -n 5",
  },
  {
    name: 'XenExporterSeriesDropped',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0, why: 'Any dropped series may be the subject of an alert.' },
      },
    ],
    measure: (p) => `max by (job, instance, collector) (${p.rate('xen_exporter_series_dropped_total', ofCollectors)})`,
    needs: ['xen_exporter_series_dropped_total'],
    for: '15m',
    summary: 'The collector {{ $labels.collector }} on {{ $labels.instance }} drops series',
    description:
      'The collector {{ $labels.collector }} on {{ $labels.instance }} exceeds its series limit and drops the excess series. Alerts about guests, devices or listeners without series cannot fire.',
    command: `curl -sS http://${instanceArgument}/metrics | grep -e series_dropped -e collector_series -e listeners_left_out`,
  },
  {
    name: 'XenExporterNamespacesUnread',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0,
          why: 'Without readings of its listeners a container has no alerts about its accept queues.',
        },
      },
    ],
    measure: (p) =>
      `sum by (job, instance) (${p.recent('xen_exporter_network_namespaces', 'state=~"unread|refused"')})`,
    needs: ['xen_exporter_network_namespaces'],
    for: '15m',
    summary: 'The exporter on {{ $labels.instance }} does not read all network namespaces',
    description:
      'The exporter on {{ $labels.instance }} should read the listeners of all network namespaces but does not read {{ $value }} of them. Alerts about the accept queues of these containers cannot fire.',
    command: `curl -sS http://${instanceArgument}/metrics | sed -n /network_namespace/p`,
  },
  {
    name: 'XenExporterInventoryStale',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'info',
        threshold: { value: 1800, why: 'In seconds. By default the exporter reads the inventory every 5 minutes.' },
      },
    ],
    // Both times are from the exporter's own clock, which may differ from Prometheus's.
    measure: (p) => {
      const lastSuccess = (...matchers: string[]) =>
        p.recent('xen_exporter_collector_last_success_timestamp_seconds', ...matchers);
      return promql`
        max by (job, instance) (${lastSuccess()})
          -
        min by (job, instance) (
          ${lastSuccess(ofInventory)}
            unless on (job, instance, collector) ${p.recent('xen_exporter_collector_success', ofInventory)} == 0
        )`;
    },
    needs: ['xen_exporter_collector_last_success_timestamp_seconds'],
    for: '15m',
    summary: '{{ $labels.instance }} exports an old inventory',
    description:
      'The oldest inventory reading that {{ $labels.instance }} exports is {{ $value | humanizeDuration }} old. Caps, weights, pools and grant limits may have changed since. Alerts use the old values.',
    command: `curl -sS http://${instanceArgument}/metrics | grep last_success`,
  },
  {
    name: 'XenWatchdog',
    kind: 'meta',
    hop: 'exporter',
    about: 'rules',
    levels: [{ severity: 'none', threshold: { value: 0, why: 'It fires while the job has a target, up or down.' } }],
    measure: (p) => `count(${p.metric('up')})`,
    needs: ['up'],
    for: '0s',
    summary: 'Prometheus evaluates the xen-exporter rules, and its alerts arrive',
    description:
      'This alert always fires. A service outside expects it every few minutes and pages when it is missing. In that case Prometheus, its rules, Alertmanager or the network between them fails, or the job has no target.',
    command: "dom0# curl -sS '<URL>/-/ready'",
  },
];
